// Memory for the values of a batch. It is used again for the next batch, so that the process does not return it to the
// operating system and request it again each time.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// Plain data in PostgreSQL's memory. All functions are PostgreSQL code.
class ValueArena {
  public:
    // Allocates in `memory`, which must live longer.
    void create(MemoryContext memory) noexcept { memory_ = memory; }

    // Returns aligned memory. The caller checks that a value is not larger than MaxAllocSize.
    void *allocate(Size size) {
        size = MAXALIGN(size);
        if (size > free_) return allocate_elsewhere(size);
        char *const found = next_;
        next_ += size;
        free_ -= size;
        return found;
    }
    // Returns a copy of a value that is not in the arena.
    Datum copy(Datum value, bool by_value, int length);
    // Frees all values.
    void clear();

  private:
    struct Block {
        Block *previous;
    };

    void *allocate_elsewhere(Size size);

    static constexpr Size block_size = 64 * 1024;

    MemoryContext memory_ = nullptr;
    char *next_ = nullptr;
    Size free_ = 0;          // bytes after next_
    Block *used_ = nullptr;  // blocks of block_size with values
    Block *spare_ = nullptr; // blocks of block_size without values
    Block *large_ = nullptr; // blocks of one large value each
};

} // namespace pgci
