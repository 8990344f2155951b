#include "look/verify.hpp"

#include "server/guard.hpp"
#include "server/memory.hpp"
#include "server/shown_text.hpp"
#include "target/column_map.hpp"
#include "run/prepared_run.hpp"
#include "run/row_key.hpp"
#include "look/differences.hpp"

namespace pgci {

namespace {

// Issues a NOTICE that names the target's columns of which the query returns nothing to compare.
void tell_not_compared(const PreparedRun &run) {
    const std::vector<SourceColumn> compared = map_by_name(run.columns(), run.target(), "query");
    std::vector<std::string> others;
    for (const TargetColumn &column : run.target().columns())
        if (!has_all(compared, {column.name})) others.push_back(column.name);
    if (others.empty()) return;
    const std::string names = shorten_list(others);
    pg_call([&] {
        ereport(NOTICE,
                errmsg_plural("column %s of %s is not compared", "columns %s of %s are not compared", others.size(),
                              names.c_str(), run.target().name().c_str()),
                errdetail("The source has no values for them, or the target generates them."));
    });
}

// The windows that a run loads again by lookback are verified by themselves.
CopyRequest of_one_window(const CopyRequest &request) {
    CopyRequest own(request);
    own.lookback = 0;
    return own;
}

} // namespace

TextRow verify_window(const CopyRequest &job_request) {
    const CopyRequest request = of_one_window(job_request);
    PreparedRun run(request, TargetUse::look);
    run.open();
    const std::vector<std::string> key = key_of(run);
    Comparison comparison = run.comparison(key);
    if (!request.is_one_of_many) tell_not_compared(run);
    const auto [source, target] = comparison.checksums();
    Differences differences;
    if (!(source == target)) differences = find_differences(comparison, std::stoll(source.rows), !key.empty(), nullptr);
    const auto text = [](std::int64_t number) { return std::optional(std::to_string(number)); };
    TextRow row = window_columns(request.window_kind, request.span, run.zone());
    for (const std::optional<std::string> &value :
         TextRow{source == target ? "true" : "false", source.rows, target.rows, text(differences.missing),
                 text(differences.extra), key.empty() ? std::nullopt : text(differences.changed)})
        row.push_back(value);
    return row;
}

void verify_windows(const Job &job, const CopyRequest &request, const NamedWindows &named,
                    const std::function<void(const TextRow &)> &sink) {
    CopyRequest of_window(request);
    for (const Span &window : windows_of(job, named)) {
        const TemporaryMemory memory;
        of_window.span = window;
        sink(verify_window(of_window));
        of_window.is_one_of_many = true; // the first one has said what is not compared
    }
}

void find_different_rows(const CopyRequest &job_request, const DifferenceSink &sink) {
    const CopyRequest request = of_one_window(job_request);
    PreparedRun run(request, TargetUse::look);
    run.open();
    const std::vector<std::string> key = key_of(run);
    Comparison comparison = run.comparison(key);
    tell_not_compared(run);
    const auto [source, target] = comparison.checksums();
    if (source == target) return;
    // The source was asked for JSON, so anything else is a protocol violation.
    const DifferenceSink checked = [&](const char *difference, const std::string &row_key) {
        try {
            sink(difference, row_key);
        } catch (const PgError &error) {
            const int category = ERRCODE_TO_CATEGORY(error.data()->sqlerrcode);
            if (category != ERRCODE_DATA_EXCEPTION && category != ERRCODE_PROGRAM_LIMIT_EXCEEDED) throw;
            comparison.raise_contradiction("a key that is not readable JSON");
        }
    };
    find_differences(comparison, std::stoll(source.rows), !key.empty(), checked);
}

} // namespace pgci
