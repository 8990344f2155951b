#include "rows/spi_writer.hpp"

#include "server/extension.hpp"
#include "server/guard.hpp"
#include "server/spi.hpp"
#include "target/conflict_key.hpp"
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
        batch_.read_often = count_statements(insert_) > 1 || !statements_.came.empty();
        begin_batch();
    });
}

void SpiWriter::begin_batch() {
    const MemoryContext previous = MemoryContextSwitchTo(MemoryContextGetParent(row_memory_));
    // Use a temporary file only for a row larger than the limit.
    batch_.rows = tuplestore_begin_heap(false, false, static_cast<int>(2 * bound_ / 1024));
    MemoryContextSwitchTo(previous);
}

std::int64_t SpiWriter::remove() { return delete_slice(statements_, target_); }

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
            statements_.returns_checks() ? checked() : static_cast<std::int64_t>(SPI_processed);
        // Because of rules, the statement may not have read the batch, or has read copies.
        if (batch_.rows != nullptr) tuplestore_end(batch_.rows);
        begin_batch();
        return written;
    });
}

// Returns the number of written rows, or raises the error of a check.
std::int64_t SpiWriter::checked() {
    bool is_null = false;
    const auto number = [&](int column) {
        return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, &is_null));
    };
    const std::int64_t written = number(1);
    if (number(2) > 0) {
        const char *const stored = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3);
        raise_outside_slice({.count = number(2),
                             .came = find_came(stored),
                             .stored = stored,
                             .is_replace = !statements_.remove.empty()});
    }
    if (number(4) > 0) raise_null_key(target_, statements_.key.c_str());
    SPI_freetuptable(SPI_tuptable);
    return written;
}

// Returns the row of the batch that is stored as this one, or null.
char *SpiWriter::find_came(const char *stored) const {
    if (statements_.came.empty()) return nullptr;
    Oid type = TEXTOID;
    Datum parameter = CStringGetTextDatum(stored);
    const SPIPlanPtr plan = spi_prepare(statements_.came.c_str(), 1, &type);
    if (const int code = SPI_execute_plan(plan, &parameter, nullptr, true, 1); code != SPI_OK_SELECT)
        raise_spi("SPI_execute_plan", code);
    return SPI_processed == 0 ? nullptr : SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
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
