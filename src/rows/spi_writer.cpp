#include "rows/spi_writer.hpp"

#include "server/extension.hpp"
#include "server/guard.hpp"
#include "server/memory.hpp"
#include "server/spi.hpp"
#include "server/subtransaction.hpp"
#include "target/conflict_key.hpp"
#include "target/target_slice.hpp"
#include "rows/kept_plan.hpp"

namespace pgci {

SpiWriter::SpiWriter(const LoadStatements &statements, const Target &target, const TimeZone &zone, const Batch &batch)
    : statements_(statements), target_(target), zone_(zone), batch_(batch) {
    begin(nullptr);
}

SpiWriter::SpiWriter(const SpiWriter &outer)
    : statements_(outer.statements_), target_(outer.target_), zone_(outer.zone_), batch_(outer.batch_) {
    begin(&outer);
}

void SpiWriter::begin(const SpiWriter *outer) {
    const char *const insert = statements_.insert.c_str();
    const char *const merge = statements_.merge.empty() ? nullptr : statements_.merge.c_str();
    const char *const zone_name = zone_.name();
    pg_call([&] {
        statement_.begin(zone_name);
        spi_connect();
        insert_ = outer != nullptr ? outer->insert_ : spi_prepare(insert, target_.used_for(ACL_INSERT));
        if (merge != nullptr)
            merge_ = outer != nullptr ? outer->merge_ : spi_prepare(merge, target_.used_for(ACL_INSERT));
    });
}

std::int64_t SpiWriter::remove() { return delete_slice(statements_, target_); }

std::int64_t SpiWriter::write(std::size_t begin, std::size_t end) {
    // The statement reads from a function of the extension.
    check_extension();
    BatchInHand in_hand(batch_, begin, end, statements_);
    std::int64_t written = 0;
    // Only the INSERT checks keys with NULL.
    if (merge_ == nullptr || in_hand.has_null_key() || !merge(in_hand, written)) {
        written += execute(insert_);
        if (statements_.returns_checks()) pg_call([&] { raise_refused(in_hand); });
    }
    dropped_ += in_hand.dropped;
    return written;
}

std::int64_t SpiWriter::execute(SPIPlanPtr statement) {
    const char *const sql = statement == merge_ ? statements_.merge.c_str() : statements_.insert.c_str();
    return pg_call([=, this] {
        const UsedRelation target = target_.used_for(ACL_INSERT);
        const SPIPlanPtr planned_anew = is_planned_elsewhere(statement) ? spi_prepare(sql, target) : nullptr;
        // Triggers that fire after the statement are queued for finish().
        spi_execute(planned_anew != nullptr ? planned_anew : statement, target);
        if (planned_anew != nullptr) SPI_freeplan(planned_anew);
        return static_cast<std::int64_t>(SPI_processed);
    });
}

// Returns false if rows are left whose keys other sessions have inserted since the statement began. The fastest way is to insert
// the new rows, and to roll that back if it fails; but a subtransaction cannot take back triggers that were queued. The
// second way leaves such rows out, and updates them as soon as it sees them.
bool SpiWriter::merge(BatchInHand &in_hand, std::int64_t &written) {
    const auto is_conflict = [](int code) { return code == ERRCODE_UNIQUE_VIOLATION; };
    in_hand.leaves_out_conflicts = false;
    if (!statements_.queues_triggers) {
        const std::optional<RunFailure> failure = in_subtransaction(
            [&] {
                // Memory of a released subtransaction is freed only at the end of the transaction.
                const TemporaryMemory memory(CurTransactionContext);
                written = execute(merge_);
            },
            is_conflict);
        if (!failure) return true;
        in_hand.dropped = 0;
    }
    in_hand.leaves_out_conflicts = true;
    for (int i = 0; i < 2; ++i) {
        in_hand.left_out = 0;
        written += execute(merge_);
        if (in_hand.left_out == 0) return true;
    }
    return false;
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
