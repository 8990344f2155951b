#include "ledger/rerun.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "template/column_window.hpp"
#include "ledger/coverage.hpp"

namespace pgci {

namespace {

// A snapshot of the target that is older than what the last run wrote would leave its rows in the slice, and double
// them.
void check_sees_last_run(const RunHistory &history, const RunKey &key) {
    if (!IsolationUsesXactSnapshot() || !history.has_written_unseen(key)) return;
    raise(sqlstate::serialization_failure,
          "could not serialize access due to a concurrent run of an overlapping window", "Roll back and run again.",
          "The transaction began before that run ended.");
}

// What is known of a window that is to be loaded.
struct Known {
    LoadedRuns runs{};
    bool is_loaded = false;    // all of it
    bool has_rows = false;     // rows of it are in the target, of all or a part of it
    bool is_unsettled = false; // because the run that loaded it came too early
};

Known look_up(const CopyRequest &request, const RunHistory &history, const RunKey &key) {
    Known known{.runs = history.find_loaded(key)};
    known.is_loaded = known.runs.is_covered;
    known.has_rows = known.runs.count > 0;
    if (key.job_id != 0 && key.window) {
        const Span window = key.window->span();
        const std::vector<Span> gaps = uncovered(window, Coverage(request.schema, key.window->kind()).find(key.job_id));
        known.is_loaded = known.is_loaded || gaps.empty();
        known.has_rows = known.has_rows || gaps != std::vector{window};
    }
    if (known.is_loaded) known.runs.rejecting = 0; // a later run has loaded all rows
    known.is_unsettled = known.runs.is_loaded && !known.is_loaded;
    return known;
}

// What was done, and by whom if it was not an earlier run of the same job or call.
std::string describe_earlier(const Known &known) {
    if (known.runs.count > 0 && !known.runs.are_of_same_query && !known.runs.are_of_same_call)
        return " was already loaded by another query";
    const char *const by = known.runs.count == 0 || known.runs.are_of_same_call ? "" : " by another job or call";
    return (known.runs.rejecting != 0 ? " was loaded, except for rejected rows"
            : known.is_unsettled      ? " was loaded before it was settled"
            : known.is_loaded         ? " was already loaded"
                                      : " was loaded in part") +
           std::string(by);
}

std::string hint_for(const Known &known, bool is_job) {
    const bool are_of_others = known.runs.count > 0 && !known.runs.are_of_same_call;
    if (are_of_others && !known.runs.are_of_same_query)
        return "The queries read the same table. If they read different rows, define a job for each query with "
               "copy_incremental_create_job(). Otherwise use mode replace, upsert or skip.";
    if (known.runs.rejecting != 0)
        return "copy_incremental_retry_rejects(" + std::to_string(known.runs.rejecting) +
               ") loads those that the target accepts now.";
    if (are_of_others && known.is_loaded)
        return "on_rerun => 'skip' takes such windows as loaded. Call copy_incremental_forget() if the rows are gone.";
    if (known.is_unsettled)
        return "Mode append cannot load it again. Delete its rows and call copy_incremental_forget(); or use mode "
               "replace or upsert, or settle => 'wait'.";
    if (is_job) return "Use copy_incremental_forget() if the rows are gone, or a job of mode replace, upsert or skip.";
    // With on_rerun => 'skip', a part is this error again.
    return known.is_loaded ? "Use mode replace, upsert or skip; or on_rerun => 'skip' or 'run'; or "
                             "copy_incremental_forget() if the rows are gone."
                           : "Use mode replace, upsert or skip; or on_rerun => 'run'; or copy_incremental_forget() if "
                             "the rows are gone.";
}

// According to the ledger, or to the coverage of the job.
std::string detail_of(const Known &known) {
    return known.runs.count > 0 ? "According to copy_incremental_runs, " + known.runs.description + "."
                                : "The record of the loaded windows has it.";
}

} // namespace

bool may_begin(const CopyRequest &request, const RunHistory &history, const RunKey &key, const std::string &window) {
    if (request.mode == Mode::replace || request.repair) check_sees_last_run(history, key);
    if (request.mode != Mode::append || request.repair) return true;
    const Known known = look_up(request, history, key);
    if (!known.has_rows) return true;
    const std::string message = window + describe_earlier(known);
    const char *const text = message.c_str();
    const std::string detail = detail_of(known);
    const char *const runs = detail.c_str();
    // A part must not pass for the whole.
    const bool refuses = request.on_rerun == OnRerun::skip && !known.is_loaded;
    switch (refuses ? OnRerun::error : request.on_rerun) {
    case OnRerun::error:
        raise(sqlstate::already_loaded, message, hint_for(known, key.job_id != 0), detail);
    case OnRerun::skip:
        pg_call([=] { ereport(NOTICE, (errmsg("%s, skipping", text), errdetail_internal("%s", runs))); });
        return false;
    case OnRerun::run:
        pg_call([=] { ereport(WARNING, (errmsg("%s, loading it again", text), errdetail_internal("%s", runs))); });
        return true;
    }
    return true;
}

// The values may have been shifted when the column was changed.
[[noreturn]] static void raise_other_type(const std::string &column, const RunKey &key, const std::string &earlier) {
    const auto describe = [](const std::string &zone) {
        return zone.empty() ? std::string("timestamptz") : "local time of " + zone;
    };
    raise(sqlstate::invalid_parameter,
          "window_column \"" + shorten(column) + "\" was read as " + describe(earlier) +
              " by earlier runs, and is read as " + describe(key.column_time_zone) + " now",
          "Use mode replace or upsert, or on_rerun => 'run'.",
          "Its type has changed at the source. Rows of window " + key.window->name() + " may be loaded already.");
}

[[noreturn]] static void raise_other_zone(const CopyRequest &request, const RunKey &key, const std::string &zone) {
    const bool has_column = request.window_column.has_value();
    raise(
        sqlstate::invalid_parameter,
        (has_column ? "window_column \"" + shorten(*request.window_column) + "\" was" : "the query's parameters were") +
            " read as local time of " + zone + " by earlier runs, not of " + key.column_time_zone,
        std::string("Pass ") + (has_column ? "column_time_zone" : "time_zone") + " => '" + zone +
            "'; or use mode replace or upsert, or on_rerun => 'run'.",
        "Rows of window " + key.window->name() + " may be loaded already.");
}

void check_column_zone(const CopyRequest &request, const RunHistory &history, const RunKey &key, const TimeZone &zone) {
    const bool has_zone = !key.column_time_zone.empty();
    if (request.mode != Mode::append || request.repair || request.on_rerun == OnRerun::run || !key.window ||
        key.window->is_of_ids() || !(request.window_column || has_zone))
        return;
    const std::string column = request.window_column.value_or("");
    const auto window_in = [&](const TimeZone &of) { return window_of_column(*key.window, TIMESTAMPOID, of, column); };
    for (const std::string &name : history.find_column_zones(key)) {
        const bool had_zone = name != no_zone;
        if (had_zone != has_zone) {
            if (request.window_column && request.job_id == 0) raise_other_type(column, key, has_zone ? "" : name);
        } else if (has_zone && window_in(TimeZone::resolve(name.c_str())) != window_in(zone)) {
            raise_other_zone(request, key, name);
        }
    }
}

} // namespace pgci
