#include "template/window_bounds.hpp"

#include "server/compat.hpp"
#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "server/sql_text.hpp"
#include "server/subtransaction.hpp"
#include "template/bound_scan.hpp"
#include "template/template_scanner.hpp"

namespace pgci {

namespace {

WindowText marks() { return {.day = "\1d\2", .next_day = "\1n\2", .start = "\1s\2", .end = "\1e\2"}; }

// Plain data: the facts of one query, or of one SELECT of a UNION.
struct Judgement {
    bool has_lower_only = false;
    bool has_upper_only = false;
    bool has_label = false;
    bool is_for_one_day = false;
    bool includes_end = false;
    bool excludes_start = false;
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

// Each SELECT of a UNION returns rows of its own.
void collect_selects(SelectStmt *select, List *&selects) {
    check_stack_depth();
    if (select->op != SETOP_UNION || select->withClause != nullptr) {
        selects = lappend(selects, select);
        return;
    }
    collect_selects(select->larg, selects);
    collect_selects(select->rarg, selects);
}

Judgement judge(const char *sql, BoundedText kind, int uses) {
    List *scans = NIL;
    const auto add = [&](const BoundScan &scan) {
        auto *const copy = static_cast<BoundScan *>(palloc0(sizeof(BoundScan)));
        *copy = scan;
        scans = lappend(scans, copy);
        uses -= scan.uses;
    };
    if (kind == BoundedText::condition) {
        BoundScan scan;
        scan_condition(expression_of(parse_expression(sql)), scan);
        add(scan);
    } else {
        const List *const statements = parse_statements(sql);
        auto *const statement = static_cast<const RawStmt *>(linitial(statements))->stmt;
        List *selects = NIL;
        if (IsA(statement, SelectStmt)) collect_selects(reinterpret_cast<SelectStmt *>(statement), selects);
        for (int i = 0; i < list_length(selects); ++i) {
            BoundScan scan;
            scan_query(static_cast<const SelectStmt *>(list_nth(selects, i)), scan);
            add(scan);
        }
    }
    Judgement judgement;
    // The window can also be used where the scan does not look, such as in the name of a table.
    for (int i = 0; i < list_length(scans); ++i)
        add_scan(judgement, *static_cast<const BoundScan *>(list_nth(scans, i)), uses == 0);
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
    return "";
}

const char *name_of(BoundedText kind) { return kind == BoundedText::query ? "query template" : "replace_where"; }

bool has_parameters(const std::string &text) {
    return !scan_template(text, "query template", "SELECT").parameters.empty();
}

} // namespace

WindowBounds find_bounds(const std::string &text, BoundedText kind) {
    const TemplateTokens tokens = scan_template(text, name_of(kind), "SELECT");
    std::string marked = text;
    int uses = static_cast<int>(tokens.parameters.size());
    if (uses == 0) {
        const WindowText window = marks();
        FormattedTemplate formatted = format_placeholders(text, &window, name_of(kind));
        uses = formatted.placeholders;
        marked = std::move(formatted.text);
    }
    WindowBounds bounds;
    if (uses == 0) return bounds;
    const auto find = [&] {
        const char *const sql = marked.c_str();
        const Judgement judgement = pg_call([=] { return judge(sql, kind, uses); });
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
    // Syntax of a newer source, a placeholder outside of quotes, or an expression that is nested too deeply.
    const auto cannot_be_read = [](int code) {
        return ERRCODE_TO_CATEGORY(code) == ERRCODE_TO_CATEGORY(ERRCODE_SYNTAX_ERROR) ||
               code == ERRCODE_STATEMENT_TOO_COMPLEX;
    };
    if (in_subtransaction(find, cannot_be_read)) return {};
    return bounds;
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
