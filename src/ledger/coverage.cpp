#include "ledger/coverage.hpp"

#include <algorithm>

#include "server/guard.hpp"

namespace pgci {

void Coverage::add(std::int64_t job_id, Span span) const {
    const std::string column = columns_of(kind_).of_coverage;
    const std::string multirange = columns_of(kind_).multirange;
    const std::vector<Parameter> parameters{int8_parameter(job_id), window_parameter(kind_, span)};
    const std::string insert = "INSERT INTO " + table_.name() + " (job_id, " + column + ") ";
    // With one snapshot for the transaction, rows that another transaction has changed since cannot be locked.
    if (IsolationUsesXactSnapshot()) {
        run_as_owner(table_.owner(), insert + "VALUES ($1, " + multirange + "($2))", parameters);
        return;
    }
    run_as_owner(table_.owner(),
                 "WITH united AS (DELETE FROM " + table_.name() + " WHERE ctid IN (SELECT ctid FROM " + table_.name() +
                     " WHERE job_id = $1 FOR UPDATE SKIP LOCKED) RETURNING " + column + ") " + insert +
                     "SELECT $1, range_agg(span) FROM (SELECT unnest(" + column +
                     ") AS span FROM united UNION ALL SELECT $2) AS spans",
                 parameters);
}

std::vector<Span> Coverage::find(std::int64_t job_id) const {
    const std::vector<NamedValues> rows = select_as_owner(
        table_.owner(),
        std::string("SELECT lower(span) AS s, upper(span) AS e FROM (SELECT unnest(range_agg(span)) AS span FROM "
                    "(SELECT unnest(") +
            columns_of(kind_).of_coverage + ") AS span FROM " + table_.name() +
            " WHERE job_id = $1) AS spans) AS united ORDER BY span",
        {int8_parameter(job_id)}, true);
    std::vector<Span> covered;
    covered.reserve(rows.size());
    for (const NamedValues &row : rows)
        covered.push_back({row.is_null("s") ? no_start : DatumGetInt64(row.value("s")),
                           row.is_null("e") ? no_end : DatumGetInt64(row.value("e"))});
    return covered;
}

void Coverage::remove(std::int64_t job_id, std::optional<std::int64_t> start, std::optional<std::int64_t> end) const {
    const std::string column = columns_of(kind_).of_coverage;
    const std::string multirange = columns_of(kind_).multirange;
    const Span span{start.value_or(no_start), end.value_or(no_end)};
    const std::string remove =
        "UPDATE " + table_.name() + " SET " + column + " = " + column + " - " + multirange + "($2) WHERE job_id = $1";
    const std::vector<Parameter> parameters{int8_parameter(job_id), window_parameter(kind_, span)};
    const auto is_covered = [&] {
        const std::vector<Span> covered = find(job_id);
        return std::any_of(covered.begin(), covered.end(),
                           [&](const Span &part) { return part.start < span.end && span.start < part.end; });
    };
    // A run may have united the rows that this statement waited for into one that it did not see.
    while (is_covered()) {
        if (run_as_owner(table_.owner(), remove, parameters).processed > 0 || !IsolationUsesXactSnapshot()) continue;
        raise(sqlstate::serialization_failure, "could not serialize access due to a concurrent run of the job",
              "Roll back and call again.", "The transaction began before that run ended.");
    }
}

void Coverage::drop(std::int64_t job_id) const {
    run_as_owner(table_.owner(), "DELETE FROM " + table_.name() + " WHERE job_id = $1", {int8_parameter(job_id)});
}

std::vector<Span> uncovered(Span span, const std::vector<Span> &covered) {
    std::vector<Span> gaps;
    std::int64_t from = span.start;
    for (const Span &part : covered) {
        if (part.end <= from) continue;
        if (part.start >= span.end) break;
        if (part.start > from) gaps.push_back({from, part.start});
        from = part.end;
    }
    if (from < span.end) gaps.push_back({from, span.end});
    return gaps;
}

std::vector<Span> uncovered_windows(const WindowGrid &grid, Span span, const std::vector<Span> &covered,
                                    std::size_t most) {
    std::vector<Span> found;
    for (const Span &gap : uncovered(span, covered))
        for (const Span &window : grid.windows(gap, most - found.size()))
            // Two gaps may be in one window.
            if (found.empty() || found.back() != window) found.push_back(window);
    return found;
}

} // namespace pgci
