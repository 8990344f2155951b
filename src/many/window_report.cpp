#include "many/window_report.hpp"

#include <algorithm>

namespace pgci {

namespace {

std::string count_of(std::size_t number, const char *noun) {
    return std::to_string(number) + " " + noun + (number == 1 ? "" : "s");
}

void warn(const std::string &what, const RunFailure &failure) {
    const char *const text = what.c_str();
    pg_call([&] {
        ereport(WARNING, (errcode(failure.code), errmsg("%s failed: %s", text, failure.message.c_str()),
                          failure.detail.empty() ? 0 : errdetail_internal("%s", failure.detail.c_str()),
                          failure.hint.empty() ? 0 : errhint("%s", failure.hint.c_str()),
                          failure.context.empty() ? 0 : errcontext("%s", failure.context.c_str())));
    });
}

void notice(const std::string &message, const std::string &detail) {
    const char *const text = message.c_str();
    const char *const more = detail.c_str();
    pg_call(
        [=] { ereport(NOTICE, (errmsg_internal("%s", text), more[0] == '\0' ? 0 : errdetail_internal("%s", more))); });
}

} // namespace

std::size_t WindowReport::add_job(const std::string &name, std::size_t windows, const std::string &detail) {
    jobs_.push_back({.name = name, .detail = detail, .windows = windows});
    return jobs_.size() - 1;
}

bool WindowReport::add(std::size_t place, const std::string &window, const WindowResult &result) {
    JobLine &job = jobs_[place];
    // Several workers may report at the same time that they cannot connect to the source.
    const bool is_known = result.stops_job && job.has_stopped;
    if (!is_known) ++job.ended;
    switch (result.end) {
    case WindowEnd::loaded: {
        ++job.loaded;
        job.rows += result.rows_written;
        const double seconds = static_cast<double>(result.ended_at - result.started_at) / USECS_PER_SEC;
        pg_call([&] {
            ereport(DEBUG1, (errmsg_internal("job \"%s\": window %s: " INT64_FORMAT " rows in %.2f s", job.name.c_str(),
                                             window.c_str(), result.rows_written, seconds)));
        });
        break;
    }
    case WindowEnd::was_loaded:
        break;
    case WindowEnd::given_back: // is reported when another worker has loaded it
        --job.ended;
        return true;
    case WindowEnd::is_busy:
        ++job.busy;
        break;
    case WindowEnd::failed:
        job.has_stopped = job.has_stopped || result.stops_job;
        if (is_known) break;
        ++job.failed;
        warn("job \"" + job.name + "\": window " + window, *result.failure);
        keep({place, window, *result.failure});
        break;
    }
    if (job.ended == job.windows) tell(job);
    return !is_known;
}

void WindowReport::add_failure(std::size_t place, const RunFailure &failure) {
    JobLine &job = jobs_[place];
    job.has_stopped = true;
    ++job.failed;
    warn("job \"" + job.name + "\"", failure);
    keep({place, "", failure});
}

void WindowReport::keep(Failed failed) {
    ++failures_;
    const auto place = std::upper_bound(failed_.begin(), failed_.end(), failed, [](const Failed &a, const Failed &b) {
        return a.job != b.job ? a.job < b.job : a.window < b.window;
    });
    failed_.insert(place, std::move(failed));
    if (failed_.size() > most_shown) failed_.pop_back();
}

void WindowReport::tell(JobLine &job) {
    job.is_told = true;
    std::string text = "job \"" + job.name + "\": " + std::to_string(job.loaded) +
                       (job.loaded == 1 ? " window, " : " windows, ") + std::to_string(job.rows) +
                       (job.rows == 1 ? " row" : " rows");
    if (job.failed > 0) text += "; " + std::to_string(job.failed) + " failed";
    if (job.busy > 0) text += "; " + std::to_string(job.busy) + " being loaded by other sessions";
    if (job.ended < job.windows) text += "; " + std::to_string(job.windows - job.ended) + " not tried";
    notice(text, job.detail);
}

std::string WindowReport::describe(const Failed &failed) const {
    const JobLine &job = jobs_[failed.job];
    std::string text = "job \"" + job.name + "\"";
    if (!failed.window.empty()) text += ", window " + failed.window;
    text += ": " + failed.failure.message + " (SQLSTATE " + failed.failure.sqlstate() + ")";
    if (job.has_stopped && job.ended < job.windows)
        text += "; " + count_of(job.windows - job.ended, "window") + " not tried";
    return text;
}

// Names some of the jobs.
std::string WindowReport::describe_failed_jobs() const {
    constexpr std::size_t most_named = 3;
    std::size_t failed = 0;
    std::string names;
    for (const JobLine &job : jobs_)
        if (job.failed > 0 && ++failed <= most_named) names += (names.empty() ? "\"" : ", \"") + job.name + "\"";
    if (failed > most_named) names += " and " + std::to_string(failed - most_named) + " more";
    return std::to_string(failed) + " of " + std::to_string(jobs_.size()) + " jobs failed: " + names;
}

void WindowReport::finish() {
    for (JobLine &job : jobs_)
        if (!job.is_told) tell(job);
    if (failed_.empty()) return;
    std::string detail;
    for (const Failed &failed : failed_) detail += (detail.empty() ? "" : "\n") + describe(failed);
    if (failures_ > failed_.size())
        detail += "\n... and " + std::to_string(failures_ - failed_.size()) + " more, see copy_incremental_runs";
    const JobLine &first = jobs_.front();
    std::string message = describe_failed_jobs();
    if (jobs_.size() == 1)
        message =
            (first.windows == 0 ? ""
                                : std::to_string(failures_) + " of " + count_of(first.windows, "window") + " of ") +
            "job \"" + first.name + "\" failed";
    const int state = failed_.front().failure.code;
    const char *const message_text = message.c_str();
    const char *const detail_text = detail.c_str();
    const char *const hint = hint_;
    pg_call([=] {
        ereport(ERROR, (errcode(state), errmsg_internal("%s", message_text), errdetail_internal("%s", detail_text),
                        errhint("%s", hint)));
    });
}

} // namespace pgci
