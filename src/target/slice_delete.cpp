#include "target/slice_delete.hpp"

#include "server/guard.hpp"
#include "server/spi.hpp"

namespace pgci {

std::int64_t delete_slice(const std::string &statement, const UsedRelation &target) {
    if (statement.empty()) return 0;
    const char *const sql = statement.c_str();
    return pg_call([=] {
        spi_connect();
        const SPIPlanPtr plan = spi_prepare(sql, target);
        // As foreign keys do it: rows are found by the newest snapshot, and checked against the transaction's own.
        const bool is_blind = IsolationUsesXactSnapshot();
        const Snapshot snapshot = is_blind ? GetLatestSnapshot() : InvalidSnapshot;
        const Snapshot crosscheck = is_blind ? GetTransactionSnapshot() : InvalidSnapshot;
        spi_execute(plan, target, snapshot, crosscheck);
        const auto deleted = static_cast<std::int64_t>(SPI_processed);
        spi_finish();
        return deleted;
    });
}

void raise_outside_slice(std::int64_t rows) {
    ereport(ERROR, (errcode(ERRCODE_WITH_CHECK_OPTION_VIOLATION),
                    errmsg_plural(INT64_FORMAT " row of the source is outside of replace_where",
                                  INT64_FORMAT " rows of the source are outside of replace_where",
                                  static_cast<unsigned long>(rows), rows),
                    errdetail("Such rows would be doubled by the next run, which deletes only what is inside."),
                    errhint("Make query_template and replace_where speak of the same rows.")));
    pg_unreachable();
}

} // namespace pgci
