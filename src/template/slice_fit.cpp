#include "template/slice_fit.hpp"

#include "server/guard.hpp"
#include "template/compared_moment.hpp"
#include "template/marked_text.hpp"
#include "template/window_bounds.hpp"

namespace pgci {

namespace {

// The values of a column that comparisons keep. Plain data.
struct Selection {
    bool is_known = false;
    const char *column = nullptr;
    Node *reference = nullptr; // to the column
    bool is_of_days = false;   // the column is cast to a date
    bool has_days = false;
    LocalSpan moments{}; // if the column holds moments
    LocalSpan days{};    // if it holds dates, each of which is a day long
    const SelectStmt *select = nullptr;
};

constexpr std::int64_t farthest = PG_INT64_MAX;

void narrow(LocalSpan &span, const BoundComparison &comparison, std::int64_t value, std::int64_t length) {
    const bool is_after = comparison.kept != KeptRows::before;
    const bool is_before = comparison.kept != KeptRows::after;
    const std::int64_t start = comparison.keeps_equal ? value : value + length;
    const std::int64_t end = comparison.keeps_equal ? value + length : value;
    if (is_after) span.start = std::max(span.start, start);
    if (is_before) span.end = std::min(span.end, end);
}

// A column that all rows of the result compare with the window, if it is the only one.
Selection find_selection(const BoundScan &scan, const LocalSpan &window) {
    Selection found;
    found.moments = found.days = {.start = -farthest, .end = farthest};
    found.has_days = true;
    Node *column = nullptr;
    for (int i = 0; i < list_length(scan.comparisons); ++i) {
        const auto &comparison = *static_cast<const BoundComparison *>(list_nth(scan.comparisons, i));
        Node *const own = inside_casts(comparison.column);
        if (column == nullptr) column = own;
        std::int64_t value = 0;
        if (comparison.is_nested || comparison.is_in_subquery || column_name(own) == nullptr ||
            !is_same_column(column, own) || !find_moment(comparison.value, window, value))
            return {};
        found.is_of_days |= is_reduced_to_day(comparison.column);
        found.has_days &= midnight_of(value) == value;
        narrow(found.moments, comparison, value, 0);
        narrow(found.days, comparison, value, USECS_PER_DAY);
    }
    if (column == nullptr || scan.has_other_use || found.moments.start == -farthest || found.moments.end == farthest ||
        (found.is_of_days && !found.has_days))
        return {};
    found.column = column_name(column);
    found.reference = column;
    found.is_known = true;
    return found;
}

Selection select(const char *sql, BoundedText kind, int uses, const LocalSpan &window) {
    const ScannedText scanned = scan_text(sql, kind, uses);
    if (!scanned.is_whole || list_length(scanned.scans) != 1) return {};
    Selection found = find_selection(*static_cast<const BoundScan *>(linitial(scanned.scans)), window);
    if (scanned.selects != NIL) found.select = static_cast<const SelectStmt *>(linitial(scanned.selects));
    return found;
}

// Returns whether * or table.* certainly has the column.
bool has_column(const ColumnRef *star, const ColumnRef *column, const SelectStmt *select) {
    const int qualifiers = list_length(star->fields) - 1;
    if (qualifiers == 0)
        return list_length(select->fromClause) == 1 &&
               !IsA(static_cast<Node *>(linitial(select->fromClause)), JoinExpr);
    if (list_length(column->fields) != qualifiers + 1) return false;
    for (int i = 0; i < qualifiers; ++i)
        if (!equal(list_nth(star->fields, i), list_nth(column->fields, i))) return false;
    return true;
}

// Returns whether an output of the query is certainly one of its columns, possibly in another form.
bool is_output(const SelectStmt *select, const char *output, Node *column) {
    bool is_in_star = false;
    for (int i = 0; i < list_length(select->targetList); ++i) {
        const auto *const item = static_cast<const ResTarget *>(list_nth(select->targetList, i));
        Node *const value = inside_casts(item->val);
        const char *const own = column_name(value);
        if (IsA(value, ColumnRef) && own == nullptr) {
            is_in_star |=
                has_column(reinterpret_cast<ColumnRef *>(value), reinterpret_cast<ColumnRef *>(column), select);
            continue;
        }
        const char *const name = item->name != nullptr ? item->name : own;
        if (name != nullptr && std::strcmp(name, output) == 0) return is_same_column(value, column);
    }
    return is_in_star && std::strcmp(output, column_name(column)) == 0;
}

bool is_near(const LocalSpan &a, const LocalSpan &b) {
    return std::abs(a.start - b.start) <= USECS_PER_SEC && std::abs(a.end - b.end) <= USECS_PER_SEC;
}

// The spans of both, read in the same way. Plain data.
struct Compared {
    SliceFit fit = SliceFit::unknown;
    LocalSpan by_query{};
    LocalSpan by_slice{};
    const char *column = nullptr;
};

// The type of a column is not known here: a text that could be right is not judged.
bool may_be_equal(const Selection &query, const Selection &slice, bool are_of_one_form) {
    for (const bool query_days : {false, true})
        for (const bool slice_days : {false, true}) {
            if (are_of_one_form && query_days != slice_days) continue;
            if ((query_days ? !query.has_days : query.is_of_days) || (slice_days ? !slice.has_days : slice.is_of_days))
                continue;
            if (is_near(query_days ? query.days : query.moments, slice_days ? slice.days : slice.moments)) return true;
        }
    return false;
}

Compared compare(const Selection &query, const Selection &slice, bool is_by_column, bool has_transform) {
    if (!query.is_known || !slice.is_known) return {};
    const bool are_same_name = std::strcmp(query.column, slice.column) == 0;
    const bool are_same =
        !has_transform && (is_by_column ? are_same_name : is_output(query.select, slice.column, query.reference));
    const auto has_point = [](const Selection &one) { return one.moments.start >= one.moments.end || one.is_of_days; };
    const bool shows_days = query.has_days && slice.has_days && (has_point(query) || has_point(slice));
    Compared compared{.fit = SliceFit::same,
                      .by_query = shows_days ? query.days : query.moments,
                      .by_slice = shows_days ? slice.days : slice.moments,
                      .column = slice.column};
    if (may_be_equal(query, slice, are_same && are_same_name && !query.is_of_days && !slice.is_of_days))
        return compared;
    compared.fit = are_same ? SliceFit::different : SliceFit::maybe_different;
    return compared;
}

const char *local_text(std::int64_t local) {
    struct pg_tm tm {};
    fsec_t fraction = 0;
    if (timestamp2tm(local, nullptr, &tm, &fraction, nullptr, nullptr) != 0) return "infinity";
    auto *const buffer = static_cast<char *>(palloc(MAXDATELEN + 1));
    EncodeDateTime(&tm, fraction, false, 0, nullptr, USE_ISO_DATES, buffer);
    return buffer;
}

std::string span_text(const LocalSpan &span) {
    const auto text = [](std::int64_t local) -> std::string { return pg_call([=] { return local_text(local); }); };
    return "from " + text(span.start) + " to " + text(span.end);
}

} // namespace

std::string ComparedSlice::detail() const {
    return "The query selects rows " + by_query + ", and replace_where rows " + by_slice + ". " +
           (is_wider ? "Each run would delete rows that it does not load."
                     : "Each run would load rows that no run deletes.");
}

std::string SliceTexts::hint(const std::string &column) const {
    if (window_column) return "Leave out replace_where, because window_column derives it.";
    return "Write the same bounds in both, such as " + half_open_condition(replace_where, column) +
           ", or use window_column instead of both.";
}

ComparedSlice compare_slice(const SliceTexts &texts, const Window &window, const TimeZone &zone) {
    const LocalSpan local{.start = local_time(window.start(), zone), .end = local_time(window.end(), zone)};
    // If clocks change in the window, an hour after its start is not an hour of local time.
    if (local.end - local.start != window.end() - window.start()) return {.fit = SliceFit::same};
    const MarkedText slice = mark_window(texts.replace_where, BoundedText::condition);
    const MarkedText query = texts.window_column ? MarkedText{} : mark_window(texts.query_template, BoundedText::query);
    ComparedSlice result;
    const auto find = [&] {
        const char *const column = texts.window_column ? texts.window_column->c_str() : nullptr;
        const Compared compared = pg_call([&] {
            Selection of_query{.is_known = true, .column = column, .has_days = true, .moments = local, .days = local};
            if (column == nullptr) of_query = select(query.sql.c_str(), BoundedText::query, query.uses, local);
            const Selection of_slice = select(slice.sql.c_str(), BoundedText::condition, slice.uses, local);
            return compare(of_query, of_slice, column != nullptr, texts.has_transform);
        });
        if (compared.fit == SliceFit::unknown) return;
        result = {.fit = compared.fit,
                  .is_wider = compared.by_slice.start < compared.by_query.start ||
                              compared.by_slice.end > compared.by_query.end,
                  .by_query = span_text(compared.by_query),
                  .by_slice = span_text(compared.by_slice),
                  .column = compared.column};
    };
    return can_be_read(find) ? result : ComparedSlice{};
}

void check_slice_fits(const SliceTexts &texts, const Window &window, const TimeZone &zone) {
    const ComparedSlice compared = compare_slice(texts, window, zone);
    if (compared.fit != SliceFit::different) return;
    raise(sqlstate::invalid_parameter, "replace_where selects another window than the query",
          texts.hint(compared.column), compared.detail());
}

} // namespace pgci
