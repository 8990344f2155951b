#include "rows/rejecting_writer.hpp"

#include "server/guard.hpp"
#include "rows/row_error.hpp"

namespace pgci {

RejectingWriter::RejectingWriter(const LoadStatements &statements, const TimeZone &zone, TupleDesc description,
                                 std::int64_t bound, MemoryContext memory, Rejects &rejects)
    : statements_(statements), zone_(zone), description_(description), bound_(bound), rejects_(rejects),
      whole_(statements, zone, description, bound, memory) {
    pg_call(
        [=, this] { row_memory_ = AllocSetContextCreate(memory, "copy_incremental rows", ALLOCSET_DEFAULT_SIZES); });
}

// The values stay where they are: the batch's memory is emptied as a whole.
void RejectingWriter::add(Datum *values, bool *nulls, std::int64_t) {
    const MemoryContext previous = MemoryContextSwitchTo(row_memory_);
    if (count_ == room_) {
        constexpr std::size_t first_room = 1024;
        room_ = room_ == 0 ? first_room : 2 * room_;
        const Size size = sizeof(HeapTuple) * room_;
        rows_ = static_cast<HeapTuple *>(rows_ == nullptr ? MemoryContextAllocHuge(row_memory_, size)
                                                          : repalloc_huge(rows_, size));
    }
    rows_[count_++] = heap_form_tuple(description_, values, nulls);
    MemoryContextSwitchTo(previous);
}

std::int64_t RejectingWriter::write() {
    const std::int64_t written = count_ == 0 ? whole_.write() : write_range(0, count_);
    pg_call([this] { MemoryContextReset(row_memory_); });
    rows_ = nullptr;
    count_ = room_ = 0;
    return written;
}

std::int64_t RejectingWriter::write_range(std::size_t begin, std::size_t end) {
    const Subtransaction subtransaction;
    std::int64_t written = 0;
    RunFailure failure;
    try {
        written = write_at_once(begin, end);
    } catch (...) {
        failure = describe_failure();
        if (!is_row_error(failure.code)) subtransaction.roll_back_and_rethrow();
    }
    if (failure.code == 0) {
        subtransaction.keep();
        return written;
    }
    subtransaction.roll_back();
    if (end - begin == 1) {
        reject(begin, failure);
        return 0;
    }
    const std::size_t middle = begin + (end - begin) / 2;
    const std::int64_t first = write_range(begin, middle);
    return first + write_range(middle, end);
}

std::int64_t RejectingWriter::write_at_once(std::size_t begin, std::size_t end) {
    SpiWriter writer(statements_, zone_, description_, bound_, CurTransactionContext);
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

void RejectingWriter::reject(std::size_t row, const RunFailure &failure) {
    const char *const json = pg_call([=, this] {
        auto *const values = static_cast<Datum *>(palloc(sizeof(Datum) * static_cast<Size>(description_->natts)));
        auto *const nulls = static_cast<bool *>(palloc(sizeof(bool) * static_cast<Size>(description_->natts)));
        heap_deform_tuple(rows_[row], description_, values, nulls);
        return row_to_json(description_, values, nulls);
    });
    rejects_.add(failure, json);
}

void RejectingWriter::finish() {
    whole_.finish();
    pg_call([this] { MemoryContextDelete(row_memory_); });
}

} // namespace pgci
