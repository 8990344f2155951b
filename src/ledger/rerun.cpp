#include "ledger/rerun.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "template/column_window.hpp"

namespace pgci {

// A snapshot of the target that is older than what the last run wrote would leave its rows in the slice, and double
// them.
static void check_sees_last_run(const RunHistory &history, const RunKey &key) {
    if (!IsolationUsesXactSnapshot() || !history.has_written_unseen(key)) return;
    raise(sqlstate::serialization_failure, "could not serialize access due to a concurrent run of the same window",
          "Roll back and run again.", "The transaction began before that run ended.");
}

bool may_begin(const CopyRequest &request, const RunHistory &history, const RunKey &key) {
    if (request.mode == Mode::replace) check_sees_last_run(history, key);
    if (request.mode != Mode::append) return true;
    const std::optional<EarlierRun> earlier = history.find_earlier(key);
    if (!earlier) return true;
    const std::string message = (key.window ? "window " + key.window->name() : std::string("the whole result")) +
                                (earlier->is_partial ? " was loaded in part" : " was already loaded");
    const char *const text = message.c_str();
    const char *const run = earlier->description.c_str();
    // A part must not pass for the whole.
    const bool refuses = request.on_rerun == OnRerun::skip && earlier->is_partial;
    switch (refuses ? OnRerun::error : request.on_rerun) {
    case OnRerun::error:
        raise(sqlstate::already_loaded, message,
              "Use mode replace, upsert or skip; or on_rerun => 'skip' or 'run'; or copy_incremental_forget() if the "
              "rows are gone.",
              "According to copy_incremental_runs, " + earlier->description + ".");
    case OnRerun::skip:
        pg_call([=] { ereport(NOTICE, (errmsg("%s, skipping", text), errdetail_internal("%s", run))); });
        return false;
    case OnRerun::run:
        pg_call([=] { ereport(WARNING, (errmsg("%s, loading it again", text), errdetail_internal("%s", run))); });
        return true;
    }
    return true;
}

[[noreturn]] static void raise_other_zone(const std::string &column, const RunKey &key, const std::string &zone) {
    raise(sqlstate::invalid_parameter,
          "window_column \"" + shorten(column) + "\" was read as local time of " + zone + " by earlier runs, not of " +
              key.column_time_zone,
          "Pass column_time_zone => '" + zone + "'; or use mode replace or upsert, or on_rerun => 'run'.",
          "Rows of window " + key.window->name() + " may be loaded already.");
}

void check_column_zone(const CopyRequest &request, const RunHistory &history, const RunKey &key, const TimeZone &zone) {
    if (request.mode != Mode::append || request.on_rerun == OnRerun::run || key.column_time_zone.empty()) return;
    const std::string &column = *request.window_column;
    const ColumnWindow own = window_of_column(*key.window, TIMESTAMPOID, zone, column);
    for (const std::string &name : history.find_column_zones(key))
        if (window_of_column(*key.window, TIMESTAMPOID, TimeZone::resolve(name.c_str()), column) != own)
            raise_other_zone(column, key, name);
}

} // namespace pgci
