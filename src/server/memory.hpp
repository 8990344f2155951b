// Memory contexts that a C++ object owns.
#pragma once

#include <exception>

#include "server/guard.hpp"

namespace pgci {

// While it lives, PostgreSQL code allocates in a memory context of its own, which is freed at the end, so that nothing
// adds up over the rounds of a loop. After an exception the parent's end frees it, because the error may be in it.
// `parent` must live longer.
class TemporaryMemory {
  public:
    explicit TemporaryMemory(MemoryContext parent = CurrentMemoryContext)
        : context_(pg_call(
              [=] { return AllocSetContextCreate(parent, "copy_incremental temporary", ALLOCSET_DEFAULT_SIZES); })),
          caller_(MemoryContextSwitchTo(context_)), exceptions_(std::uncaught_exceptions()) {}
    ~TemporaryMemory() {
        MemoryContextSwitchTo(caller_);
        if (std::uncaught_exceptions() == exceptions_) MemoryContextDelete(context_);
    }
    TemporaryMemory(const TemporaryMemory &) = delete;
    TemporaryMemory &operator=(const TemporaryMemory &) = delete;

  private:
    MemoryContext context_;
    MemoryContext caller_;
    int exceptions_;
};

// Owns a Resource that must be released whichever way this server leaves: C++ unwinding does it, and so does the end of a
// memory context, because a FATAL error ends the process without unwinding. Its release() is called once.
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
