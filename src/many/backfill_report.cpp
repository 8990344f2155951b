#include "many/backfill_report.hpp"

#include <algorithm>

namespace pgci {

BackfillReport::BackfillReport(std::size_t days, std::size_t to_do, Reprocess reprocess)
    : to_do_(to_do), reprocess_(reprocess) {
    if (to_do == days) return;
    const auto left_out = static_cast<unsigned long>(days - to_do);
    pg_call([=] {
        if (reprocess == Reprocess::failed)
            ereport(NOTICE, (errmsg("%lu of %lu days failed before", static_cast<unsigned long>(to_do),
                                    static_cast<unsigned long>(days))));
        else
            ereport(NOTICE, (errmsg("%lu of %lu days are there already", left_out, static_cast<unsigned long>(days))));
    });
}

void BackfillReport::add(const std::string &day, const DayResult &result) {
    ++done_;
    const char *const name = day.c_str();
    const double seconds = static_cast<double>(result.ended_at - result.started_at) / USECS_PER_SEC;
    const auto done = static_cast<unsigned long>(done_);
    const auto to_do = static_cast<unsigned long>(to_do_);
    if (!result.failure) {
        pg_call([&] {
            ereport(NOTICE, (errmsg("%s: " INT64_FORMAT " rows in %.2f s (%lu of %lu)", name, result.rows_written,
                                    seconds, done, to_do)));
        });
        return;
    }
    ++failed_days_;
    const auto place = std::upper_bound(failed_.begin(), failed_.end(), day,
                                        [](const std::string &name, const Failed &other) { return name < other.day; });
    failed_.insert(place, {day, *result.failure});
    if (failed_.size() > most_shown) failed_.pop_back();
    const RunFailure &failure = *result.failure;
    pg_call([&] {
        ereport(WARNING, (errcode(failure.code),
                          errmsg("%s failed: %s (%lu of %lu)", name, failure.message.c_str(), done, to_do),
                          failure.detail.empty() ? 0 : errdetail_internal("%s", failure.detail.c_str()),
                          failure.hint.empty() ? 0 : errhint("%s", failure.hint.c_str()),
                          failure.context.empty() ? 0 : errcontext("%s", failure.context.c_str())));
    });
}

void BackfillReport::finish() const {
    if (failed_.empty()) return;
    std::string detail;
    for (const Failed &failed : failed_)
        detail += (detail.empty() ? "" : "\n") + failed.day + ": " + failed.failure.message + " (SQLSTATE " +
                  failed.failure.sqlstate() + ")";
    if (failed_days_ > failed_.size())
        detail += "\n... and " + std::to_string(failed_days_ - failed_.size()) + " more, see copy_incremental_runs";
    const std::string message = std::to_string(failed_days_) + " of " + std::to_string(to_do_) + " days failed";
    const char *const code = reprocess_ == Reprocess::missing ? "missing" : "failed";
    const int state = failed_.front().failure.code;
    const char *const message_text = message.c_str();
    const char *const detail_text = detail.c_str();
    pg_call([=] {
        ereport(ERROR,
                (errcode(state), errmsg_internal("%s", message_text), errdetail_internal("%s", detail_text),
                 errhint("The other days are there. Remove the cause and call again with reprocess => '%s'.", code)));
    });
}

} // namespace pgci
