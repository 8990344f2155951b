#include "rows/batch.hpp"

namespace pgci {

void Batch::create(TupleDesc description, MemoryContext memory) {
    description_ = description;
    memory_ = memory;
    arena_.create(memory);
}

void Batch::grow() {
    constexpr std::size_t first_room = 256;
    const std::size_t room = room_ == 0 ? first_room : 2 * room_;
    const auto cells = room * static_cast<std::size_t>(Max(description_->natts, 1));
    values_ = static_cast<Datum *>(values_ == nullptr ? MemoryContextAllocHuge(memory_, sizeof(Datum) * cells)
                                                      : repalloc_huge(values_, sizeof(Datum) * cells));
    nulls_ = static_cast<bool *>(nulls_ == nullptr ? MemoryContextAllocHuge(memory_, sizeof(bool) * cells)
                                                   : repalloc_huge(nulls_, sizeof(bool) * cells));
    room_ = room;
}

void Batch::clear() {
    arena_.clear();
    count_ = 0;
}

} // namespace pgci
