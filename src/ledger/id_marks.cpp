#include "ledger/id_marks.hpp"

#include <algorithm>
#include <iterator>
#include <sstream>

#include "server/guard.hpp"

namespace pgci {

namespace {

std::string text_of(const std::set<std::string> &awaited) {
    std::string text;
    for (const std::string &each : awaited) text += (text.empty() ? "" : " ") + each;
    return text;
}

} // namespace

std::vector<IdMark> IdMarks::find(std::int64_t job_id) const {
    return find_where("job_id = $1", {int8_parameter(job_id)});
}

std::vector<IdMark> IdMarks::find(std::int64_t job_id, const std::string &place) const {
    return find_where("job_id = $1 AND source_place = $2", {int8_parameter(job_id), text_parameter(place)});
}

std::vector<IdMark> IdMarks::find_where(const std::string &condition, const std::vector<Parameter> &parameters) const {
    std::vector<IdMark> marks;
    for (const NamedValues &row : select_as_owner(table_.owner(),
                                                  "SELECT highest_id, read_at, awaited FROM " + table_.name() +
                                                      " WHERE " + condition + " ORDER BY highest_id",
                                                  parameters, true)) {
        std::istringstream awaited(row.required_text("awaited"));
        marks.push_back({.highest = DatumGetInt64(row.value("highest_id")),
                         .read_at = DatumGetTimestampTz(row.value("read_at")),
                         .awaited = {std::istream_iterator<std::string>(awaited), {}}});
    }
    return marks;
}

// Two calls may do this at once. What each of them stores is true, so any mix of it is.
void IdMarks::store(std::int64_t job_id, const std::string &place, const std::vector<IdMark> &marks) const {
    run_as_owner(table_.owner(),
                 "DELETE FROM " + table_.name() + " WHERE ctid IN (SELECT ctid FROM " + table_.name() +
                     " WHERE job_id = $1 ORDER BY highest_id FOR UPDATE)",
                 {int8_parameter(job_id)});
    for (const IdMark &mark : marks)
        run_as_owner(
            table_.owner(),
            "INSERT INTO " + table_.name() +
                " (job_id, source_place, highest_id, read_at, awaited) VALUES ($1, $2, $3, $4, $5) ON CONFLICT "
                "(job_id, highest_id) DO UPDATE SET source_place = excluded.source_place, read_at = "
                "excluded.read_at, awaited = excluded.awaited",
            {int8_parameter(job_id), text_parameter(place), int8_parameter(mark.highest),
             timestamp_parameter(mark.read_at), text_parameter(text_of(mark.awaited))});
}

void IdMarks::drop(std::int64_t job_id) const {
    run_as_owner(table_.owner(), "DELETE FROM " + table_.name() + " WHERE job_id = $1", {int8_parameter(job_id)});
}

bool IdMarks::has_settled(std::int64_t job_id, const std::string &place, std::int64_t end) const {
    const std::vector<IdMark> marks = find(job_id, place);
    return std::any_of(marks.begin(), marks.end(),
                       [=](const IdMark &mark) { return mark.is_settled() && mark.highest >= end - 1; });
}

bool IdMarks::has_seen(std::int64_t job_id, const std::string &place, std::int64_t end) const {
    const std::vector<IdMark> marks = find(job_id, place);
    return !marks.empty() && marks.back().highest >= end - 1;
}

Span seen_ids(const Job &job, const std::vector<Span> &covered, const std::vector<IdMark> &marks) {
    Span seen{.end = no_start};
    if (!covered.empty()) seen = {covered.front().start, covered.back().end};
    if (job.first_id) seen.start = *job.first_id;
    if (!marks.empty()) seen.end = std::max(seen.end, marks.back().highest + 1);
    return {seen.start, std::max(seen.start, seen.end)};
}

std::optional<std::int64_t> take_settled(std::vector<IdMark> &marks, const Interval &lag, Settle settle) {
    constexpr std::size_t most_marks = 60;
    const TimestampTz since = pg_call([&] {
        return DatumGetTimestampTz(DirectFunctionCall2(
            timestamptz_mi_interval, TimestampTzGetDatum(GetCurrentTimestamp()), IntervalPGetDatum(&lag)));
    });
    const auto is_usable = [&](const IdMark &mark) {
        return (settle == Settle::off || mark.is_settled()) && mark.read_at <= since;
    };
    const auto last = std::find_if(marks.rbegin(), marks.rend(), is_usable);
    std::optional<std::int64_t> settled;
    if (last != marks.rend()) {
        settled = last->highest;
        marks.erase(marks.begin(), std::prev(last.base()));
    }
    if (marks.size() > most_marks) {
        std::size_t place = 0;
        std::erase_if(marks, [&](const IdMark &) { return place++ % 2 == 1 && place < most_marks; });
    }
    return settled;
}

} // namespace pgci
