#include "rows/spi_writer.hpp"

#include "server/extension.hpp"
#include "server/guard.hpp"
#include "server/spi.hpp"
#include "target/target_slice.hpp"

namespace pgci {

namespace {

// Returns the number of statements into which rules of the target have rewritten the INSERT.
int count_statements(SPIPlanPtr plan) {
    int count = 0;
    const List *const sources = SPI_plan_get_plan_sources(plan);
    for (int i = 0; i < list_length(sources); ++i)
        count += list_length(static_cast<const CachedPlanSource *>(list_nth(sources, i))->query_list);
    return count;
}

// Returns the number of written rows. The statement returns it and the number of rows outside the slice; raises 44000
// for the latter.
std::int64_t written_inside() {
    bool is_null = false;
    const HeapTuple counts = SPI_tuptable->vals[0];
    const auto written = DatumGetInt64(SPI_getbinval(counts, SPI_tuptable->tupdesc, 1, &is_null));
    const auto outside = DatumGetInt64(SPI_getbinval(counts, SPI_tuptable->tupdesc, 2, &is_null));
    SPI_freetuptable(SPI_tuptable);
    if (outside > 0) raise_outside_slice(outside);
    return written;
}

} // namespace

SpiWriter::SpiWriter(const LoadStatements &statements, const Target &target, const TimeZone &zone,
                     TupleDesc description, std::int64_t bound, MemoryContext memory)
    : statements_(statements), target_(target), zone_(zone), bound_(bound) {
    batch_.description = description;
    begin(memory, nullptr);
}

SpiWriter::SpiWriter(const SpiWriter &outer, MemoryContext memory)
    : statements_(outer.statements_), target_(outer.target_), zone_(outer.zone_), bound_(outer.bound_) {
    batch_.description = outer.batch_.description;
    begin(memory, outer.insert_);
}

void SpiWriter::begin(MemoryContext memory, SPIPlanPtr prepared) {
    const char *const insert = statements_.insert.c_str();
    const char *const zone_name = zone_.name();
    pg_call([&] {
        row_memory_ = AllocSetContextCreate(memory, "copy_incremental row", ALLOCSET_DEFAULT_SIZES);
        statement_.begin(zone_name);
        spi_connect();
        insert_ = prepared != nullptr ? prepared : spi_prepare(insert, target_.used_for(ACL_INSERT));
        batch_.read_often = count_statements(insert_) > 1;
        begin_batch();
    });
}

void SpiWriter::begin_batch() {
    const MemoryContext previous = MemoryContextSwitchTo(MemoryContextGetParent(row_memory_));
    // Use a temporary file only for a row larger than the limit.
    batch_.rows = tuplestore_begin_heap(false, false, static_cast<int>(2 * bound_ / 1024));
    MemoryContextSwitchTo(previous);
}

std::int64_t SpiWriter::remove() { return delete_slice(statements_.remove, target_.used_for(ACL_DELETE)); }

void SpiWriter::add(Datum *values, bool *nulls, std::int64_t) {
    tuplestore_putvalues(batch_.rows, batch_.description, values, nulls);
    if (MemoryContextMemAllocated(row_memory_, false) > most_row_memory) MemoryContextReset(row_memory_);
}

std::int64_t SpiWriter::write() {
    // The statement reads from a function of the extension.
    check_extension();
    const BatchInHand in_hand(batch_);
    return pg_call([this] {
        // Triggers that fire after the statement are queued for finish().
        spi_execute(insert_, target_.used_for(ACL_INSERT));
        const std::int64_t written =
            statements_.counts_outside ? written_inside() : static_cast<std::int64_t>(SPI_processed);
        // Because of rules, the statement may not have read the batch, or has read copies.
        if (batch_.rows != nullptr) tuplestore_end(batch_.rows);
        begin_batch();
        return written;
    });
}

void SpiWriter::finish() {
    pg_call([this] {
        tuplestore_end(batch_.rows);
        MemoryContextDelete(row_memory_);
        spi_finish();
        statement_.end();
    });
}

} // namespace pgci
