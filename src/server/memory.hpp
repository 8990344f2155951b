// Memory contexts that a C++ object owns.
#pragma once

#include <exception>

#include "server/guard.hpp"

namespace pgci {

// Makes a new memory context the current one during its lifetime, so that the iterations of a loop do not accumulate
// memory. The destructor deletes the context, except after an exception: the error may be allocated in it, so it is
// freed together with `parent`, which must live longer.
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

// Owns a Resource that must be released even if a FATAL error ends the process without unwinding. Both the destructor
// and the end of a memory context release it. Resource::release() is called once.
template <class Resource> class ContextOwned {
  public:
    // The resource is released at the latest when `memory` is deleted.
    explicit ContextOwned(MemoryContext memory) : resource_(new Resource) {
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
    MemoryContext context_ = nullptr;
};

} // namespace pgci
