// Memory for one round of a loop.
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

} // namespace pgci
