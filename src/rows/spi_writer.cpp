#include "rows/spi_writer.hpp"

#include "server/extension.hpp"
#include "server/guard.hpp"
#include "server/spi.hpp"
#include "target/conflict_key.hpp"
#include "target/target_slice.hpp"

namespace pgci {

SpiWriter::SpiWriter(const LoadStatements &statements, const Target &target, const TimeZone &zone, const Batch &batch)
    : statements_(statements), target_(target), zone_(zone), batch_(batch) {
    begin(nullptr);
}

SpiWriter::SpiWriter(const SpiWriter &outer)
    : statements_(outer.statements_), target_(outer.target_), zone_(outer.zone_), batch_(outer.batch_) {
    begin(outer.insert_);
}

void SpiWriter::begin(SPIPlanPtr prepared) {
    const char *const insert = statements_.insert.c_str();
    const char *const zone_name = zone_.name();
    pg_call([&] {
        statement_.begin(zone_name);
        spi_connect();
        insert_ = prepared != nullptr ? prepared : spi_prepare(insert, target_.used_for(ACL_INSERT));
    });
}

std::int64_t SpiWriter::remove() { return delete_slice(statements_, target_); }

std::int64_t SpiWriter::write(std::size_t begin, std::size_t end) {
    // The statement reads from a function of the extension.
    check_extension();
    BatchInHand in_hand(batch_, begin, end, statements_);
    return pg_call([&, this] {
        // Triggers that fire after the statement are queued for finish().
        spi_execute(insert_, target_.used_for(ACL_INSERT));
        const auto written = static_cast<std::int64_t>(SPI_processed);
        if (statements_.returns_checks()) raise_refused(in_hand);
        return written;
    });
}

// Raises an error if a check has refused a row.
void SpiWriter::raise_refused(BatchInHand &in_hand) const {
    // A plan that is not that of insert_planner returns the results of the checks.
    for (std::uint64_t i = 0; SPI_tuptable != nullptr && i < SPI_tuptable->numvals; ++i) {
        const HeapTuple row = SPI_tuptable->vals[i];
        bool is_null = false;
        const bool has_null_key = DatumGetBool(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &is_null));
        const Datum stored = SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &is_null);
        in_hand.check(!is_null, stored, has_null_key);
    }
    SPI_freetuptable(SPI_tuptable);
    const BatchInHand::Refused &refused = in_hand.refused();
    if (refused.outside > 0)
        raise_outside_slice({.count = refused.outside,
                             .came = find_came(refused.stored),
                             .stored = refused.stored,
                             .is_replace = !statements_.remove.empty()});
    if (refused.has_null_key) raise_null_key(target_, statements_.key.c_str());
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
        spi_finish();
        statement_.end();
    });
}

} // namespace pgci
