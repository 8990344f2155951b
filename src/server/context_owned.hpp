// What must be released whichever way this server leaves: C++ unwinding does it, and so does the end of a memory context,
// because a FATAL error ends the process without unwinding.
#pragma once

#include "server/guard.hpp"

namespace pgci {

// Owns a Resource, whose release() is called once.
template <class Resource> class ContextOwned {
  public:
    // It lasts no longer than `memory`.
    explicit ContextOwned(MemoryContext memory) : resource_(new Resource), context_(nullptr) {
        Resource *const resource = resource_;
        MemoryContext *const context = &context_;
        try {
            pg_call([=] {
                *context = AllocSetContextCreate(memory, "copy_incremental resource", ALLOCSET_SMALL_SIZES);
                auto *const callback =
                    static_cast<MemoryContextCallback *>(MemoryContextAlloc(*context, sizeof(MemoryContextCallback)));
                callback->func = [](void *argument) { release(static_cast<Resource *>(argument)); };
                callback->arg = resource;
                MemoryContextRegisterResetCallback(*context, callback);
            });
        } catch (...) {
            delete resource_;
            throw;
        }
    }
    ~ContextOwned() {
        MemoryContextDelete(context_); // its callback releases the resource
        delete resource_;
    }
    ContextOwned(const ContextOwned &) = delete;
    ContextOwned &operator=(const ContextOwned &) = delete;

    Resource *operator->() const { return resource_; }
    Resource &operator*() const { return *resource_; }

  private:
    static void release(Resource *resource) noexcept { resource->release(); }

    Resource *resource_;
    MemoryContext context_;
};

} // namespace pgci
