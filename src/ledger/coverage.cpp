#include "ledger/coverage.hpp"

#include <algorithm>

#include "server/pg.hpp"

namespace pgci {

void Coverage::add(std::int64_t job_id, TimeSpan span) const {
    const std::vector<Parameter> parameters{int8_parameter(job_id), timestamp_parameter(span.start),
                                            timestamp_parameter(span.end)};
    const std::string insert = "INSERT INTO " + table_.name() + " (job_id, covered) ";
    // With one snapshot for the transaction, rows that another transaction has changed since cannot be locked.
    if (IsolationUsesXactSnapshot()) {
        run_as_owner(table_.owner(), insert + "VALUES ($1, tstzmultirange(tstzrange($2, $3)))", parameters);
        return;
    }
    run_as_owner(table_.owner(),
                 "WITH united AS (DELETE FROM " + table_.name() + " WHERE ctid IN (SELECT ctid FROM " + table_.name() +
                     " WHERE job_id = $1 FOR UPDATE SKIP LOCKED) RETURNING covered) " + insert +
                     "SELECT $1, range_agg(span) FROM (SELECT unnest(covered) AS span FROM united "
                     "UNION ALL SELECT tstzrange($2, $3)) AS spans",
                 parameters);
}

std::vector<TimeSpan> Coverage::find(std::int64_t job_id) const {
    const std::vector<NamedValues> rows =
        select_as_owner(table_.owner(),
                        "SELECT coalesce(lower(span), '-infinity') AS s, coalesce(upper(span), 'infinity') AS e FROM "
                        "(SELECT unnest(range_agg(span)) AS span FROM (SELECT unnest(covered) AS span FROM " +
                            table_.name() + " WHERE job_id = $1) AS spans) AS united ORDER BY 1",
                        {int8_parameter(job_id)}, true);
    std::vector<TimeSpan> covered;
    covered.reserve(rows.size());
    for (const NamedValues &row : rows)
        covered.push_back({DatumGetTimestampTz(row.value("s")), DatumGetTimestampTz(row.value("e"))});
    return covered;
}

void Coverage::remove(std::int64_t job_id, std::optional<TimestampTz> start, std::optional<TimestampTz> end) const {
    const std::string remove =
        "UPDATE " + table_.name() + " SET covered = covered - tstzmultirange(tstzrange($2, $3)) WHERE job_id = $1";
    const std::vector<Parameter> parameters{int8_parameter(job_id), timestamp_parameter(start),
                                            timestamp_parameter(end)};
    const TimeSpan span{start.value_or(DT_NOBEGIN), end.value_or(DT_NOEND)};
    const auto is_covered = [&] {
        const std::vector<TimeSpan> covered = find(job_id);
        return std::any_of(covered.begin(), covered.end(),
                           [&](const TimeSpan &part) { return part.start < span.end && span.start < part.end; });
    };
    // A run may have united the rows that this statement waited for into one that it did not see.
    while (is_covered()) run_as_owner(table_.owner(), remove, parameters);
}

void Coverage::drop(std::int64_t job_id) const {
    run_as_owner(table_.owner(), "DELETE FROM " + table_.name() + " WHERE job_id = $1", {int8_parameter(job_id)});
}

std::vector<TimeSpan> uncovered(TimeSpan span, const std::vector<TimeSpan> &covered) {
    std::vector<TimeSpan> gaps;
    TimestampTz from = span.start;
    for (const TimeSpan &part : covered) {
        if (part.end <= from) continue;
        if (part.start >= span.end) break;
        if (part.start > from) gaps.push_back({from, part.start});
        from = part.end;
    }
    if (from < span.end) gaps.push_back({from, span.end});
    return gaps;
}

std::vector<TimeSpan> uncovered_windows(const WindowGrid &grid, TimeSpan span, const std::vector<TimeSpan> &covered,
                                        std::size_t most) {
    std::vector<TimeSpan> found;
    for (const TimeSpan &gap : uncovered(span, covered))
        for (const TimeSpan &window : grid.windows(gap, most - found.size()))
            // Two gaps may be in one window.
            if (found.empty() || found.back() != window) found.push_back(window);
    return found;
}

} // namespace pgci
