#include "server/sequence_position.hpp"

#include "server/compat.hpp"

namespace pgci {

namespace {

// The distance may be larger than the largest int64.
std::uint64_t distance(std::int64_t from, std::int64_t to) {
    return static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
}

// The only row of the sequence, in its page.
HeapTupleHeader row_of(Page page) {
    const ItemId item = PageGetItemId(page, FirstOffsetNumber);
    if (!ItemIdIsNormal(item)) elog(ERROR, "sequence has no row");
    return reinterpret_cast<HeapTupleHeader>(PageGetItem(page, item));
}

Form_pg_sequence_data data_of(HeapTupleHeader row) {
    return reinterpret_cast<Form_pg_sequence_data>(reinterpret_cast<char *>(row) + row->t_hoff);
}

// Writes the position as setval() does.
void store(Relation relation, Buffer buffer, SequencePosition position) {
    const Page page = BufferGetPage(buffer);
    const HeapTupleHeader row = row_of(page);
    START_CRIT_SECTION();
    data_of(row)->last_value = position.last;
    data_of(row)->is_called = position.is_called;
    data_of(row)->log_cnt = 0;
    MarkBufferDirty(buffer);
    if (RelationNeedsWAL(relation)) {
        xl_seq_rec record = compat::sequence_record(relation);
        XLogBeginInsert();
        XLogRegisterBuffer(0, buffer, REGBUF_WILL_INIT);
        XLogRegisterData(reinterpret_cast<char *>(&record), sizeof record);
        XLogRegisterData(reinterpret_cast<char *>(row), ItemIdGetLength(PageGetItemId(page, FirstOffsetNumber)));
        const XLogRecPtr end = XLogInsert(RM_SEQ_ID, XLOG_SEQ_LOG); // the macro evaluates it twice
        PageSetLSN(page, end);
    }
    END_CRIT_SECTION();
}

} // namespace

SequencePosition position_past(SequencePosition now, std::int64_t increment, std::int64_t value) {
    const bool is_behind = increment > 0 ? value >= now.last : value <= now.last;
    if (!is_behind) return now;
    const std::uint64_t step = increment > 0 ? static_cast<std::uint64_t>(increment) : distance(increment, 0);
    const std::uint64_t far = increment > 0 ? distance(now.last, value) : distance(value, now.last);
    if (far < step && now.is_called) return now;
    const std::uint64_t moved = far / step * step;
    const auto last = static_cast<std::uint64_t>(now.last);
    return {static_cast<std::int64_t>(increment > 0 ? last + moved : last - moved), true};
}

bool advance_sequence(Oid sequence, std::int64_t value) {
    const HeapTuple definition = SearchSysCache1(SEQRELID, ObjectIdGetDatum(sequence));
    if (!HeapTupleIsValid(definition)) elog(ERROR, "cache lookup failed for sequence %u", sequence);
    const FormData_pg_sequence form = *reinterpret_cast<Form_pg_sequence>(GETSTRUCT(definition));
    ReleaseSysCache(definition);

    const Relation relation = relation_open(sequence, NoLock);
    // The commit then waits until the new position is on disk.
    if (RelationNeedsWAL(relation)) GetTopTransactionId();
    const Buffer buffer = ReadBuffer(relation, 0);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    const auto *const data = data_of(row_of(BufferGetPage(buffer)));
    const SequencePosition now{data->last_value, data->is_called};
    const SequencePosition position = position_past(now, form.seqincrement, value);
    const bool is_moved = position != now;
    if (is_moved) store(relation, buffer, position);
    UnlockReleaseBuffer(buffer);
    relation_close(relation, NoLock);

    const bool is_ascending = form.seqincrement > 0;
    const bool has_more = !position.is_called || (is_ascending ? position.last <= form.seqmax - form.seqincrement
                                                               : position.last >= form.seqmin - form.seqincrement);
    // This session may have values in its cache. It uses them up.
    for (std::int64_t i = 0; is_moved && has_more && i < form.seqcache && form.seqcache > 1; ++i) {
        CHECK_FOR_INTERRUPTS();
        const std::int64_t next = nextval_internal(sequence, false);
        if (is_ascending ? next > value : next < value) break;
    }
    return has_more;
}

} // namespace pgci
