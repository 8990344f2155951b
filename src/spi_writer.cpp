#include "spi_writer.hpp"

#include "guard.hpp"
#include "settings.hpp"
#include "spi.hpp"

namespace pgci {

namespace {

// How many statements the rules of the target made of the INSERT.
int count_statements(SPIPlanPtr plan) {
    int count = 0;
    const List *const sources = SPI_plan_get_plan_sources(plan);
    for (int i = 0; i < list_length(sources); ++i)
        count += list_length(static_cast<const CachedPlanSource *>(list_nth(sources, i))->query_list);
    return count;
}

// The statement counts the rows that it wrote, and those of them outside of the slice.
std::int64_t written_inside() {
    bool is_null = false;
    const HeapTuple counts = SPI_tuptable->vals[0];
    const auto written = DatumGetInt64(SPI_getbinval(counts, SPI_tuptable->tupdesc, 1, &is_null));
    const auto outside = DatumGetInt64(SPI_getbinval(counts, SPI_tuptable->tupdesc, 2, &is_null));
    SPI_freetuptable(SPI_tuptable);
    if (outside > 0)
        ereport(ERROR, (errcode(ERRCODE_WITH_CHECK_OPTION_VIOLATION),
                        errmsg_plural(INT64_FORMAT " row of the source is outside of replace_where",
                                      INT64_FORMAT " rows of the source are outside of replace_where",
                                      static_cast<unsigned long>(outside), outside),
                        errdetail("Such rows would be doubled by the next run, which deletes only what is inside."),
                        errhint("Make query_template and replace_where speak of the same rows.")));
    return written;
}

} // namespace

SpiWriter::SpiWriter(const LoadStatements &statements, const TimeZone &zone, TupleDesc description, std::int64_t bound,
                     MemoryContext memory)
    : statements_(statements), bound_(bound) {
    const char *const insert = statements.insert.c_str();
    const char *const zone_name = zone.name();
    batch_.description = description;
    pg_call([&] {
        row_memory_ = AllocSetContextCreate(memory, "copy_incremental row", ALLOCSET_DEFAULT_SIZES);
        settings_ = NewGUCNestLevel();
        set_for_level("TimeZone", zone_name);
        spi_connect();
        insert_ = spi_prepare(insert);
        batch_.read_often = count_statements(insert_) > 1;
        AfterTriggerBeginQuery();
        begin_batch();
    });
}

void SpiWriter::begin_batch() {
    const MemoryContext previous = MemoryContextSwitchTo(MemoryContextGetParent(row_memory_));
    // Only a row that is larger than the bound itself is worth a file.
    batch_.rows = tuplestore_begin_heap(false, false, static_cast<int>(2 * bound_ / 1024));
    MemoryContextSwitchTo(previous);
}

std::int64_t SpiWriter::remove() {
    if (statements_.remove.empty()) return 0;
    const char *const sql = statements_.remove.c_str();
    return execute(pg_call([=] { return spi_prepare(sql); }), false, true);
}

void SpiWriter::add(Datum *values, bool *nulls, std::int64_t bytes) {
    constexpr std::int64_t worth_freeing = 8192;
    tuplestore_putvalues(batch_.rows, batch_.description, values, nulls);
    row_bytes_ += bytes;
    if (row_bytes_ < worth_freeing) return;
    MemoryContextReset(row_memory_);
    row_bytes_ = 0;
}

std::int64_t SpiWriter::write() {
    const BatchInHand in_hand(batch_);
    const std::int64_t written = execute(insert_, statements_.counts_outside, false);
    pg_call([this] {
        // Rules may have kept the statement from reading it, or have copies read.
        if (batch_.rows != nullptr) tuplestore_end(batch_.rows);
        begin_batch();
    });
    return written;
}

std::int64_t SpiWriter::execute(SPIPlanPtr plan, bool counts_outside, bool finds_newest_rows) {
    return pg_call([=] {
        // As foreign keys do it: rows are found by the newest snapshot, and checked against the transaction's own.
        const bool is_blind = finds_newest_rows && IsolationUsesXactSnapshot();
        const Snapshot snapshot = is_blind ? GetLatestSnapshot() : InvalidSnapshot;
        const Snapshot crosscheck = is_blind ? GetTransactionSnapshot() : InvalidSnapshot;
        // Triggers that fire after the statement are queued for finish().
        const int code = SPI_execute_snapshot(plan, nullptr, nullptr, snapshot, crosscheck, false, false, 0);
        if (code < 0) raise_spi("SPI_execute", code);
        return counts_outside ? written_inside() : static_cast<std::int64_t>(SPI_processed);
    });
}

void SpiWriter::finish() {
    pg_call([=, this] {
        tuplestore_end(batch_.rows);
        MemoryContextDelete(row_memory_);
        spi_finish();
        PushActiveSnapshot(GetTransactionSnapshot());
        EState *const state = CreateExecutorState();
        AfterTriggerEndQuery(state);
        ExecCloseResultRelations(state);
        ExecResetTupleTable(state->es_tupleTable, false);
        FreeExecutorState(state);
        PopActiveSnapshot();
        AtEOXact_GUC(true, settings_);
    });
}

} // namespace pgci
