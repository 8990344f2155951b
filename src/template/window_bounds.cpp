#include "template/window_bounds.hpp"

#include "server/compat.hpp"
#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "server/sql_text.hpp"
#include "template/compared_moment.hpp"
#include "template/template_scanner.hpp"

namespace pgci {

namespace {

// Plain data: the facts of one query, or of one SELECT of a UNION.
struct Judgement {
    bool has_lower_only = false;
    bool has_upper_only = false;
    bool has_label = false;
    bool is_for_one_day = false;
    bool includes_end = false;
    bool excludes_start = false;
    bool ends_early = false;
    Node *column = nullptr; // the first one that is compared
    bool has_one_column = true;
    bool converts_time_zone = false;
    List *casts = NIL; // of char *
};

template <class Predicate> bool all_of(const List *list, Predicate predicate) {
    for (int i = 0; i < list_length(list); ++i)
        if (!predicate(static_cast<const BoundComparison *>(list_nth(list, i)))) return false;
    return true;
}

template <class Predicate> bool any_of(const List *list, Predicate predicate) {
    return !all_of(list, [&](const BoundComparison *comparison) { return !predicate(comparison); });
}

bool has_same_value(const BoundComparison *a, const BoundComparison *b) {
    return a->point == b->point && (a->point != WindowPoint::computed || equal(a->value, b->value));
}

// Two comparisons at the same side restrict rows at both ends if one of them is negated somewhere: NOT IN, EXCEPT, an
// outer join, a difference of counts. They have different values then.
bool has_one_end(const List *comparisons) {
    if (comparisons == NIL) return false;
    const auto *const first = static_cast<const BoundComparison *>(linitial(comparisons));
    if (first->kept == KeptRows::equal) return false;
    const bool is_plain = all_of(comparisons, [](const BoundComparison *other) { return !other->is_nested; });
    return all_of(comparisons, [=](const BoundComparison *other) {
        return other->kept == first->kept && (is_plain || has_same_value(first, other));
    });
}

bool is_for_one_day(const List *comparisons) {
    if (comparisons == NIL) return false;
    auto *const column = inside_casts(static_cast<const BoundComparison *>(linitial(comparisons))->column);
    return column_name(column) != nullptr && all_of(comparisons, [=](const BoundComparison *comparison) {
               const bool is_of_start =
                   comparison->point == WindowPoint::start ||
                   (comparison->point == WindowPoint::day_after_start && comparison->kept == KeptRows::before);
               return is_of_start && is_same_column(column, inside_casts(comparison->column));
           });
}

// Returns whether a comparison has a counterpart that keeps the rows at the other side of its own value.
bool has_counterpart(const List *comparisons, const BoundComparison *comparison) {
    const KeptRows wanted = comparison->kept == KeptRows::after ? KeptRows::before : KeptRows::after;
    return any_of(comparisons, [=](const BoundComparison *other) {
        return other->kept == wanted && is_same_column(inside_casts(comparison->column), inside_casts(other->column));
    });
}

bool includes_end(const List *comparisons) {
    return any_of(comparisons, [=](const BoundComparison *comparison) {
        return comparison->kept == KeptRows::before && comparison->keeps_equal &&
               (comparison->point == WindowPoint::end || comparison->point == WindowPoint::day_after_start) &&
               has_counterpart(comparisons, comparison);
    });
}

bool excludes_start(const List *comparisons) {
    return any_of(comparisons, [=](const BoundComparison *comparison) {
        return comparison->kept == KeptRows::after && !comparison->keeps_equal &&
               comparison->point == WindowPoint::start && has_counterpart(comparisons, comparison);
    });
}

// Returns whether an upper bound excludes values of the last minute of a day: at <= '{day} 23:59:59'.
bool ends_early(const List *comparisons) {
    return any_of(comparisons, [=](const BoundComparison *comparison) {
        constexpr LocalSpan day{.start = 0, .end = USECS_PER_DAY};
        std::int64_t bound = 0;
        if (comparison->kept != KeptRows::before || !has_counterpart(comparisons, comparison) ||
            is_reduced_to_day(comparison->column) || !find_moment(comparison->value, day, bound))
            return false;
        if (comparison->keeps_equal) ++bound;
        return bound < day.end && bound >= day.end - USECS_PER_MINUTE;
    });
}

// Returns the type to which a mark of {start} or {end} is cast, an empty text for none; null for another value.
const char *cast_of_mark(Node *value) {
    const char *type = "";
    for (; IsA(value, TypeCast); value = reinterpret_cast<TypeCast *>(value)->arg)
        type = last_name(reinterpret_cast<TypeCast *>(value)->typeName->names);
    if (!IsA(value, A_Const) || count_uses(value) != 1) return nullptr;
    const char *const text = strVal(&reinterpret_cast<A_Const *>(value)->val);
    return std::strcmp(text, "\1s\2") == 0 || std::strcmp(text, "\1e\2") == 0 ? type : nullptr;
}

bool find_time_zone(Node *node, void *) {
    if (node == nullptr) return false;
    const char *const name = IsA(node, FuncCall) ? last_name(reinterpret_cast<FuncCall *>(node)->funcname) : nullptr;
    if (name != nullptr && std::strcmp(name, "timezone") == 0) return true;
    return raw_expression_tree_walker(node, compat::tree_walker(find_time_zone), nullptr);
}

bool has_time_zone(Node *node) { return find_time_zone(node, nullptr); }

void add_scan(Judgement &judgement, const BoundScan &scan, bool is_whole) {
    const List *const comparisons = scan.comparisons;
    judgement.has_label |= scan.has_label;
    judgement.includes_end |= includes_end(comparisons);
    judgement.excludes_start |= excludes_start(comparisons);
    judgement.ends_early |= ends_early(comparisons);
    if (is_whole && !scan.has_other_use) {
        judgement.is_for_one_day |= is_for_one_day(comparisons);
        if (has_one_end(comparisons)) {
            const bool is_lower = static_cast<const BoundComparison *>(linitial(comparisons))->kept == KeptRows::after;
            (is_lower ? judgement.has_lower_only : judgement.has_upper_only) = true;
        }
    }
    for (int i = 0; i < list_length(comparisons); ++i) {
        const auto *const comparison = static_cast<const BoundComparison *>(list_nth(comparisons, i));
        Node *const column = inside_casts(comparison->column);
        if (judgement.column == nullptr) judgement.column = column;
        judgement.converts_time_zone |= has_time_zone(comparison->column) || has_time_zone(comparison->value);
        judgement.has_one_column &=
            !comparison->is_in_subquery && column_name(column) != nullptr && is_same_column(judgement.column, column);
        if (const char *const type = cast_of_mark(comparison->value))
            judgement.casts = lappend(judgement.casts, pstrdup(type));
    }
}

Judgement judge(const char *sql, BoundedText kind, int uses) {
    const ScannedText scanned = scan_text(sql, kind, uses);
    Judgement judgement;
    for (int i = 0; i < list_length(scanned.scans); ++i)
        add_scan(judgement, *static_cast<const BoundScan *>(list_nth(scanned.scans, i)), scanned.is_whole);
    return judgement;
}

const char *edge_text(const Judgement &judgement) {
    if (judgement.includes_end && judgement.excludes_start)
        return "excludes the start of the window and includes its end, so values at the end of a window are loaded "
               "with the window before theirs";
    if (judgement.includes_end)
        return "includes the end of the window, so values at the end of a window are loaded with two windows";
    if (judgement.excludes_start)
        return "excludes the start of the window, so values at the start of a window are loaded with no window";
    if (judgement.ends_early) return "ends just before the window does, so values in between are loaded with no window";
    return "";
}

bool has_parameters(const std::string &text) {
    return !scan_template(text, "query template", "SELECT").parameters.empty();
}

} // namespace

WindowBounds find_bounds(const std::string &text, BoundedText kind) {
    const MarkedText marked = mark_window(text, kind);
    WindowBounds bounds;
    if (marked.uses == 0) return bounds;
    const auto find = [&] {
        const char *const sql = marked.sql.c_str();
        const Judgement judgement = pg_call([=, uses = marked.uses] { return judge(sql, kind, uses); });
        bounds = {.has_lower_only = judgement.has_lower_only,
                  .has_upper_only = judgement.has_upper_only,
                  .has_label = judgement.has_label,
                  .is_for_one_day = judgement.is_for_one_day,
                  .edge = edge_text(judgement),
                  .converts_time_zone = judgement.converts_time_zone};
        if (judgement.column != nullptr && judgement.has_one_column) bounds.column = column_name(judgement.column);
        for (int i = 0; i < list_length(judgement.casts); ++i)
            bounds.placeholder_casts.emplace_back(static_cast<const char *>(list_nth(judgement.casts, i)));
    };
    return can_be_read(find) ? bounds : WindowBounds{};
}

std::string half_open_condition(const std::string &text, const std::string &column) {
    const std::string name = column.empty() ? "created_at" : shorten(quote_identifier(column));
    const bool is_of_day = text.find("{}") != std::string::npos || text.find("{day}") != std::string::npos ||
                           text.find("{next_day}") != std::string::npos;
    if (has_parameters(text)) return name + " >= $1 AND " + name + " < $2";
    if (is_of_day) return name + " >= '{day}' AND " + name + " < '{next_day}'";
    return name + " >= '{start}' AND " + name + " < '{end}'";
}

WindowBounds check_bounds(const std::string &text, BoundedText kind, const WindowText &window) {
    WindowBounds bounds = find_bounds(text, kind);
    const std::string what = name_of(kind);
    std::string cure = "Write both ends, such as " + half_open_condition(text, bounds.column) +
                       (kind == BoundedText::query ? ", or use window_column." : ".");
    if (has_parameters(text) && text.find("{}") != std::string::npos)
        cure += " Braces mean nothing beside $1: {} is not replaced by the day.";
    if (bounds.has_one_end() && !bounds.has_label)
        raise(sqlstate::invalid_parameter,
              what + (bounds.has_lower_only ? " has a lower bound but no upper bound"
                                            : " has an upper bound but no lower bound"),
              cure,
              std::string("Each run would also ") + (kind == BoundedText::query ? "read" : "delete") +
                  " the rows of other windows.");
    if (bounds.is_for_one_day && window.day.empty())
        raise(sqlstate::invalid_parameter, what + " selects one day, but the window is not a day", cure,
              "It compares with the start of the window only. The window is [" + window.start + ", " + window.end +
                  ").");
    return bounds;
}

} // namespace pgci
