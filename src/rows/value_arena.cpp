#include "rows/value_arena.hpp"

namespace pgci {

void *ValueArena::allocate_elsewhere(Size size) {
    constexpr Size header = MAXALIGN(sizeof(Block));
    constexpr Size most_shared = block_size / 8;
    const auto push = [](Block *&list, Block *block) {
        block->previous = list;
        list = block;
        return reinterpret_cast<char *>(block) + header;
    };
    if (size > most_shared) return push(large_, static_cast<Block *>(MemoryContextAllocHuge(memory_, header + size)));
    Block *block = spare_;
    if (block != nullptr)
        spare_ = block->previous;
    else
        block = static_cast<Block *>(MemoryContextAlloc(memory_, block_size));
    next_ = push(used_, block);
    free_ = block_size - header;
    return allocate(size);
}

Datum ValueArena::copy(Datum value, bool by_value, int length) {
    if (by_value) return value;
    const Size size = datumGetSize(value, by_value, length);
    void *const copied = allocate(size);
    std::memcpy(copied, DatumGetPointer(value), size);
    return PointerGetDatum(copied);
}

void ValueArena::clear() {
    while (used_ != nullptr) {
        Block *const block = used_;
        used_ = block->previous;
        block->previous = spare_;
        spare_ = block;
    }
    while (large_ != nullptr) {
        Block *const block = large_;
        large_ = block->previous;
        pfree(block);
    }
    next_ = nullptr;
    free_ = 0;
}

} // namespace pgci
