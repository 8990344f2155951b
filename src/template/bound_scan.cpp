#include "template/bound_scan.hpp"

#include "server/compat.hpp"

namespace pgci {

namespace {

// How a part of the tree relates to the rows of the result.
struct Place {
    bool is_nested = false;
    bool is_negated = false;
    bool is_in_subquery = false;
};

constexpr Place nested_in(Place place) { return {true, place.is_negated, place.is_in_subquery}; }
constexpr Place in_subquery_of(Place place) { return {true, place.is_negated, true}; }

bool is_any_of(const char *word, std::initializer_list<const char *> words) {
    for (const char *const other : words)
        if (std::strcmp(word, other) == 0) return true;
    return false;
}

const char *constant_text(Node *node) {
    if (!IsA(node, A_Const) || as<A_Const>(node)->isnull || !IsA(&as<A_Const>(node)->val, String)) return nullptr;
    return strVal(&as<A_Const>(node)->val);
}

bool count_in(Node *node, void *context) {
    if (node == nullptr) return false;
    auto *const uses = static_cast<int *>(context);
    if (IsA(node, ParamRef)) ++*uses;
    if (const char *text = constant_text(node))
        for (; (text = std::strchr(text, '\1')) != nullptr; ++text) ++*uses;
    return raw_expression_tree_walker(node, compat::tree_walker(count_in), context);
}

bool find_column(Node *node, void *context) {
    if (node == nullptr) return false;
    if (IsA(node, ColumnRef)) return true;
    return raw_expression_tree_walker(node, compat::tree_walker(find_column), context);
}

bool has_column(Node *node) { return find_column(node, nullptr); }

// Returns the moment of which a function returns the day, or another form: date(x), date_trunc('day', x), x AT TIME ZONE
// 'UTC', extract(epoch FROM x). Null for other functions.
Node *moment_of(const FuncCall *call) {
    const char *const name = last_name(call->funcname);
    const int count = list_length(call->args);
    if (name == nullptr || count == 0) return nullptr;
    if (count == 1) return std::strcmp(name, "date") == 0 ? static_cast<Node *>(linitial(call->args)) : nullptr;
    auto *const second = static_cast<Node *>(lsecond(call->args));
    if (std::strcmp(name, "timezone") == 0 && count == 2) return second;
    const char *const field = constant_text(static_cast<Node *>(linitial(call->args)));
    if (field == nullptr) return nullptr;
    if (std::strcmp(name, "date_trunc") == 0) return std::strcmp(field, "day") == 0 ? second : nullptr;
    return is_any_of(name, {"extract", "date_part"}) && std::strcmp(field, "epoch") == 0 ? second : nullptr;
}

bool is_one_day(Node *node) {
    if (IsA(node, A_Const) && IsA(&as<A_Const>(node)->val, Integer)) return intVal(&as<A_Const>(node)->val) == 1;
    if (!IsA(node, TypeCast)) return false;
    const char *const text = constant_text(as<TypeCast>(node)->arg);
    return text != nullptr && is_any_of(text, {"1 day", "1 days", "1d", "1 d", "24 hours", "24h", "P1D", "24:00"});
}

WindowPoint point_of(Node *value) {
    value = inside_casts(value);
    if (IsA(value, ParamRef)) return as<ParamRef>(value)->number == 1 ? WindowPoint::start : WindowPoint::end;
    if (const char *const text = constant_text(value)) {
        if (std::strlen(text) != 3 || text[0] != '\1') return WindowPoint::computed;
        return text[1] == 'd' || text[1] == 's' ? WindowPoint::start : WindowPoint::end;
    }
    if (!IsA(value, A_Expr) || as<A_Expr>(value)->kind != AEXPR_OP || as<A_Expr>(value)->lexpr == nullptr)
        return WindowPoint::computed;
    const auto *const operation = as<A_Expr>(value);
    const char *const sign = last_name(operation->name);
    if (std::strcmp(sign, "+") == 0 && is_one_day(operation->rexpr) && point_of(operation->lexpr) == WindowPoint::start)
        return WindowPoint::day_after_start;
    // An epoch in milliseconds.
    if (std::strcmp(sign, "*") == 0 && IsA(operation->rexpr, A_Const)) return point_of(operation->lexpr);
    return WindowPoint::computed;
}

class Walk {
  public:
    explicit Walk(BoundScan &scan) : scan_(scan) {}

    void query(const SelectStmt *select, Place place, bool is_outermost = false) {
        check_stack_depth();
        if (select->withClause != nullptr) each(select->withClause->ctes, [&](Node *cte) { with_query(cte, place); });
        if (select->op != SETOP_NONE) {
            query(select->larg, nested_in(place), is_outermost);
            query(select->rarg, nested_in(place), is_outermost);
        }
        each(select->targetList, [&](Node *item) { output(as<ResTarget>(item)->val, is_outermost); });
        each(select->fromClause, [&](Node *item) { from(item, place); });
        condition(select->whereClause, place);
        condition(select->havingClause, nested_in(place));
        for (List *const list : {select->distinctClause, select->groupClause, select->sortClause, select->windowClause,
                                 select->valuesLists})
            other(reinterpret_cast<Node *>(list));
        other(select->limitCount);
        other(select->limitOffset);
    }

    void condition(Node *node, Place place) {
        check_stack_depth();
        if (node == nullptr || count_uses(node) == 0) return;
        if (IsA(node, BoolExpr)) return boolean(as<BoolExpr>(node), place);
        if (IsA(node, SubLink) && count_uses(as<SubLink>(node)->testexpr) == 0)
            return query(as<SelectStmt>(as<SubLink>(node)->subselect), in_subquery_of(place));
        if (IsA(node, A_Expr) && compare(as<A_Expr>(node), place)) return;
        other(node);
    }

  private:
    template <class Body> static void each(const List *list, Body body) {
        for (int i = 0; i < list_length(list); ++i) body(static_cast<Node *>(list_nth(list, i)));
    }

    void other(Node *node) {
        if (count_uses(node) > 0) scan_.has_other_use = true;
    }

    // Constants do not decide which rows are returned.
    void output(Node *value, bool is_outermost) {
        const int uses = count_uses(value);
        if (uses == 0) return;
        if (!is_outermost || has_column(value) ||
            (!IsA(value, TypeCast) && !IsA(value, A_Const) && !IsA(value, ParamRef)))
            return other(value);
        scan_.has_label = true;
        scan_.uses += uses;
    }

    void with_query(Node *cte, Place place) {
        auto *const body = as<CommonTableExpr>(cte)->ctequery;
        if (IsA(body, SelectStmt)) return query(as<SelectStmt>(body), in_subquery_of(place));
        other(body);
    }

    void from(Node *item, Place place) {
        check_stack_depth();
        if (IsA(item, RangeSubselect))
            return query(as<SelectStmt>(as<RangeSubselect>(item)->subquery), in_subquery_of(place));
        if (!IsA(item, JoinExpr)) return other(item);
        const auto *const join = as<JoinExpr>(item);
        const Place inside = join->jointype == JOIN_INNER ? place : nested_in(place);
        from(join->larg, inside);
        from(join->rarg, inside);
        condition(join->quals, inside);
    }

    void boolean(const BoolExpr *node, Place place) {
        if (node->boolop != AND_EXPR) place = nested_in(place);
        if (node->boolop == NOT_EXPR) place.is_negated = !place.is_negated;
        each(node->args, [&](Node *part) { condition(part, place); });
    }

    // Returns whether the expression is a comparison of a column with the window.
    bool compare(const A_Expr *node, Place place) {
        const char *const sign = last_name(node->name);
        switch (node->kind) {
        case AEXPR_OP:
            if (node->lexpr == nullptr || sign == nullptr) return false;
            if (count_uses(node->lexpr) > 0) {
                constexpr std::array<std::array<const char *, 2>, 4> mirrored{
                    {{"<", ">"}, {"<=", ">="}, {">", "<"}, {">=", "<="}}};
                for (const auto &pair : mirrored)
                    if (std::strcmp(sign, pair[0]) == 0) return add(node->rexpr, pair[1], node->lexpr, place);
                return add(node->rexpr, sign, node->lexpr, place);
            }
            return add(node->lexpr, sign, node->rexpr, place);
        case AEXPR_NOT_DISTINCT:
            return add(node->lexpr, "=", node->rexpr, place);
        case AEXPR_BETWEEN:
        case AEXPR_BETWEEN_SYM: {
            const auto *const ends = reinterpret_cast<const List *>(node->rexpr);
            auto *const low = static_cast<Node *>(linitial(ends));
            auto *const high = static_cast<Node *>(lsecond(ends));
            if (place.is_negated || (count_uses(low) > 0 && !may_add(node->lexpr, low)) ||
                (count_uses(high) > 0 && !may_add(node->lexpr, high)))
                return false;
            if (count_uses(low) > 0) add(node->lexpr, ">=", low, place);
            if (count_uses(high) > 0) add(node->lexpr, "<=", high, place);
            return true;
        }
        case AEXPR_IN:
            if (std::strcmp(sign, "=") != 0 || list_length(reinterpret_cast<const List *>(node->rexpr)) != 1)
                return false;
            return add(node->lexpr, "=", static_cast<Node *>(linitial(reinterpret_cast<const List *>(node->rexpr))),
                       place);
        default:
            return false;
        }
    }

    static bool may_add(Node *column, Node *value) {
        return count_uses(column) == 0 && has_column(column) && !has_column(value);
    }

    bool add(Node *column, const char *sign, Node *value, Place place) {
        if (!may_add(column, value) || !is_any_of(sign, {"<", "<=", ">", ">=", "="})) return false;
        if (sign[0] == '=' && place.is_negated) return false;
        // NOT (a < b) is a >= b.
        const bool keeps_before = (sign[0] == '<') != place.is_negated;
        auto *const comparison = static_cast<BoundComparison *>(palloc0(sizeof(BoundComparison)));
        *comparison = {.column = column,
                       .value = value,
                       .kept = sign[0] == '=' ? KeptRows::equal : (keeps_before ? KeptRows::before : KeptRows::after),
                       .keeps_equal = (sign[1] == '=') != place.is_negated || sign[0] == '=',
                       .point = point_of(value),
                       .is_in_subquery = place.is_in_subquery,
                       .is_nested = place.is_nested};
        scan_.comparisons = lappend(scan_.comparisons, comparison);
        scan_.uses += count_uses(value);
        return true;
    }

    BoundScan &scan_;
};

} // namespace

const char *last_name(const List *names) {
    if (names == NIL) return nullptr;
    auto *const last = static_cast<Node *>(llast(names));
    return IsA(last, String) ? strVal(last) : nullptr;
}

int count_uses(Node *node) {
    int uses = 0;
    count_in(node, &uses);
    return uses;
}

Node *inside_casts(Node *node) {
    while (true) {
        if (IsA(node, TypeCast))
            node = as<TypeCast>(node)->arg;
        else if (IsA(node, CollateClause))
            node = as<CollateClause>(node)->arg;
        else if (Node *const moment = IsA(node, FuncCall) ? moment_of(as<FuncCall>(node)) : nullptr)
            node = moment;
        else
            return node;
    }
}

const char *column_name(Node *node) { return IsA(node, ColumnRef) ? last_name(as<ColumnRef>(node)->fields) : nullptr; }

bool is_same_column(Node *a, Node *b) {
    if (equal(a, b)) return true;
    const char *const name_a = column_name(a);
    const char *const name_b = column_name(b);
    return name_a != nullptr && name_b != nullptr && std::strcmp(name_a, name_b) == 0 &&
           (list_length(as<ColumnRef>(a)->fields) == 1 || list_length(as<ColumnRef>(b)->fields) == 1);
}

void scan_query(const SelectStmt *select, BoundScan &scan) { Walk(scan).query(select, {}, true); }

void scan_condition(Node *condition, BoundScan &scan) { Walk(scan).condition(condition, {}); }

} // namespace pgci
