#include "look/explain_job.hpp"

#include <algorithm>

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "ledger/backlog.hpp"
#include "ledger/coverage.hpp"
#include "ledger/id_marks.hpp"
#include "ledger/rejected_rows.hpp"

namespace pgci {

namespace {

std::string interval_text(const Interval &interval) {
    return pg_call([&] { return DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(&interval))); });
}

// In ISO 8601, whatever DateStyle is.
std::string moment_text(TimestampTz moment) {
    return pg_call([=] { return timestamptz_to_str(moment); });
}

std::string spans_text(WindowKind kind, const std::vector<Span> &spans) {
    const auto bound = [=](std::int64_t value) {
        return kind == WindowKind::ids ? std::to_string(value) : moment_text(value);
    };
    std::string text;
    for (const Span &span : spans)
        text += (text.empty() ? "[" : ", [") + bound(span.start) + ", " + bound(span.end) + ")";
    return text.empty() ? "nothing" : text;
}

void explain_job_of_ids(Explanation &explanation, const Job &job, Oid schema) {
    const std::vector<Span> covered = Coverage(schema, WindowKind::ids).find(job.id);
    const std::vector<Span> tried = find_tried_windows(schema, job);
    const std::vector<IdMark> marks = IdMarks(schema).find(job.id);
    const auto settled =
        std::find_if(marks.rbegin(), marks.rend(), [](const IdMark &mark) { return mark.is_settled(); });
    std::int64_t missing = 0;
    for (const Span &gap : uncovered(seen_ids(job, tried, marks), tried)) missing += gap.end - gap.start;
    explanation.add("window size", std::to_string(*job.window_size_rows) + " ids");
    explanation.add("first id", job.first_id ? std::to_string(*job.first_id) : "the lowest");
    explanation.add("lag", interval_text(job.lag));
    explanation.add("covered", spans_text(WindowKind::ids, covered));
    explanation.add("settled id", settled == marks.rend() ? "none was seen" : std::to_string(settled->highest));
    explanation.add("highest id", marks.empty() ? "none was seen" : std::to_string(marks.back().highest));
    explanation.add("missing ids", std::to_string(missing));
}

void explain_job_of_time(Explanation &explanation, const Job &job, Oid schema) {
    const std::vector<Span> covered = Coverage(schema, WindowKind::time).find(job.id);
    const Backlog backlog = find_backlog(job, find_tried_windows(schema, job));
    explanation.add("window size", interval_text(*job.window_size));
    explanation.add("first day", Window::of_day(job.first_day, job.zone()).name());
    explanation.add("time zone", job.zone().name());
    explanation.add("lag", interval_text(job.lag));
    explanation.add("covered", spans_text(WindowKind::time, covered));
    explanation.add("due to", moment_text(backlog.due_to));
    explanation.add("missing windows", std::to_string(backlog.missing_windows));
}

} // namespace

void explain_job(Explanation &explanation, const Job &job, Oid schema) {
    explanation.add("job", job.name);
    explanation.add("owner", pg_call([owner = job.owner] { return GetUserNameFromId(owner, false); }));
    if (job.request.job_group) {
        std::vector<std::string> others;
        for (const Job &other : Jobs(schema).find_others_of_group(job)) others.push_back(other.name);
        explanation.add("job group",
                        *job.request.job_group + (others.empty() ? ", alone" : ", with " + shorten_list(others)));
    }
    if (!job.has_windows()) {
        explanation.add("window size", "none: a run loads the whole result of the query");
        return;
    }
    (job.kind() == WindowKind::ids ? explain_job_of_ids : explain_job_of_time)(explanation, job, schema);
    if (const std::string rejects = describe_windows_with_rejects(schema, job, {no_start, no_end}); !rejects.empty())
        explanation.add("rejects", rejects);
}

} // namespace pgci
