#include "rows/rejecting_writer.hpp"

#include <algorithm>

#include "server/guard.hpp"
#include "server/memory.hpp"
#include "server/subtransaction.hpp"
#include "ledger/rejects.hpp"

namespace pgci {

RejectingWriter::RejectingWriter(const LoadStatements &statements, const Target &target, const TimeZone &zone,
                                 TupleDesc description, std::int64_t bound, MemoryContext memory, Rejects &rejects)
    : description_(description), rejects_(rejects), whole_(statements, target, zone, description, bound, memory) {
    pg_call([=, this] {
        row_memory_ = AllocSetContextCreate(memory, "copy_incremental row", ALLOCSET_DEFAULT_SIZES);
        batch_memory_ = AllocSetContextCreate(memory, "copy_incremental batch", ALLOCSET_DEFAULT_SIZES);
    });
}

void RejectingWriter::add(Datum *values, bool *nulls, std::int64_t) {
    const MemoryContext previous = MemoryContextSwitchTo(batch_memory_);
    if (count_ == room_) {
        constexpr std::size_t first_room = 1024;
        room_ = room_ == 0 ? first_room : 2 * room_;
        const Size size = sizeof(HeapTuple) * room_;
        rows_ = static_cast<HeapTuple *>(rows_ == nullptr ? MemoryContextAllocHuge(batch_memory_, size)
                                                          : repalloc_huge(rows_, size));
    }
    rows_[count_++] = heap_form_tuple(description_, values, nulls);
    MemoryContextSwitchTo(previous);
    free_row_memory();
}

void RejectingWriter::give_up_row() {
    pg_call([this] { free_row_memory(); });
}

void RejectingWriter::free_row_memory() {
    if (MemoryContextMemAllocated(row_memory_, false) > most_row_memory) MemoryContextReset(row_memory_);
}

std::int64_t RejectingWriter::write() {
    const std::int64_t rejected_before = rejects_.count();
    std::int64_t written = count_ == 0 ? whole_.write() : 0;
    for (std::size_t begin = 0; begin < count_; begin += portion_)
        written += write_range(begin, std::min(count_, begin + std::min(portion_, count_ - begin)), false);
    const auto rejected = static_cast<std::size_t>(rejects_.count() - rejected_before);
    portion_ = rejected == 0 ? whole_batch : std::max<std::size_t>(count_ / (rejected + 1), 1);
    pg_call([this] { MemoryContextReset(batch_memory_); });
    rows_ = nullptr;
    count_ = room_ = 0;
    return written;
}

// If the rows are known to fail together, tries only parts of them.
std::int64_t RejectingWriter::write_range(std::size_t begin, std::size_t end, bool is_known_to_fail) {
    if (!is_known_to_fail || end - begin == 1) {
        const std::optional<std::int64_t> written = try_range(begin, end);
        if (written) return *written;
        if (end - begin == 1) return 0;
    }
    const std::size_t middle = begin + (end - begin) / 2;
    const std::int64_t rejected_before = rejects_.count();
    const std::int64_t first = write_range(begin, middle, false);
    return first + write_range(middle, end, rejects_.count() == rejected_before);
}

// Returns nothing if the rows fail. A single row is then recorded as a reject.
std::optional<std::int64_t> RejectingWriter::try_range(std::size_t begin, std::size_t end) {
    std::int64_t written = 0;
    std::optional<RunFailure> failure = in_subtransaction([&] { written = write_at_once(begin, end); }, is_row_error);
    if (!failure) return written;
    if (end - begin == 1) reject(begin, std::move(*failure));
    return std::nullopt;
}

std::int64_t RejectingWriter::write_at_once(std::size_t begin, std::size_t end) {
    // Memory of a released subtransaction is freed only at the end of the transaction.
    const TemporaryMemory memory(CurTransactionContext);
    SpiWriter writer(whole_, CurrentMemoryContext);
    pg_call([&] {
        auto *const values = static_cast<Datum *>(palloc(sizeof(Datum) * static_cast<Size>(description_->natts)));
        auto *const nulls = static_cast<bool *>(palloc(sizeof(bool) * static_cast<Size>(description_->natts)));
        for (std::size_t i = begin; i < end; ++i) {
            CHECK_FOR_INTERRUPTS();
            heap_deform_tuple(rows_[i], description_, values, nulls);
            writer.add(values, nulls, 0);
        }
        pfree(values);
        pfree(nulls);
    });
    const std::int64_t written = writer.write();
    writer.finish();
    return written;
}

void RejectingWriter::reject(std::size_t row, RunFailure failure) {
    const TemporaryMemory memory;
    const char *const json = pg_call([=, this] {
        auto *const values = static_cast<Datum *>(palloc(sizeof(Datum) * static_cast<Size>(description_->natts)));
        auto *const nulls = static_cast<bool *>(palloc(sizeof(bool) * static_cast<Size>(description_->natts)));
        heap_deform_tuple(rows_[row], description_, values, nulls);
        return row_to_json(description_, values, nulls);
    });
    rejects_.add(std::move(failure), json);
}

void RejectingWriter::finish() {
    whole_.finish();
    pg_call([this] {
        MemoryContextDelete(row_memory_);
        MemoryContextDelete(batch_memory_);
    });
}

} // namespace pgci
