#include "template/compared_moment.hpp"

#include "server/compat.hpp"
#include "template/bound_scan.hpp"

namespace pgci {

namespace {

bool is_sign(const A_Expr *operation, const char *sign) {
    const char *const name = last_name(operation->name);
    return operation->kind == AEXPR_OP && operation->lexpr != nullptr && name != nullptr &&
           std::strcmp(name, sign) == 0;
}

bool is_integer(Node *node, int &value) {
    if (!IsA(node, A_Const) || as<A_Const>(node)->isnull || !IsA(&as<A_Const>(node)->val, Integer)) return false;
    value = intVal(&as<A_Const>(node)->val);
    return true;
}

bool is_number(Node *node) {
    return IsA(node, A_Const) && !as<A_Const>(node)->isnull && !IsA(&as<A_Const>(node)->val, String);
}

const char *text_of(Node *node) {
    if (!IsA(node, A_Const) || as<A_Const>(node)->isnull || !IsA(&as<A_Const>(node)->val, String)) return nullptr;
    return strVal(&as<A_Const>(node)->val);
}

bool is_cast_to(Node *node, const char *type) {
    const char *const name = IsA(node, TypeCast) ? last_name(as<TypeCast>(node)->typeName->names) : nullptr;
    return name != nullptr && std::strcmp(name, type) == 0;
}

bool find_epoch(Node *node, void *) {
    if (node == nullptr) return false;
    const char *const name = IsA(node, FuncCall) ? last_name(as<FuncCall>(node)->funcname) : nullptr;
    if (name != nullptr && (std::strcmp(name, "extract") == 0 || std::strcmp(name, "date_part") == 0)) return true;
    return raw_expression_tree_walker(node, compat::tree_walker(find_epoch), nullptr);
}

// The constant of an interval, or a number of days, possibly several times.
bool find_distance(Node *node, Interval &distance) {
    check_stack_depth();
    int number = 0;
    if (is_integer(node, number)) {
        distance = {.time = 0, .day = number, .month = 0};
        return true;
    }
    if (is_cast_to(node, "interval")) {
        const auto *const cast = as<TypeCast>(node);
        const char *const text = text_of(cast->arg);
        if (text == nullptr || cast->typeName->typmods != NIL) return false;
        distance = *DatumGetIntervalP(
            DirectFunctionCall3(interval_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
        return true;
    }
    if (!IsA(node, A_Expr) || !is_sign(as<A_Expr>(node), "*")) return false;
    Node *part = as<A_Expr>(node)->lexpr;
    if (!is_integer(as<A_Expr>(node)->rexpr, number)) {
        if (!is_integer(part, number)) return false;
        part = as<A_Expr>(node)->rexpr;
    }
    if (is_number(part) || !find_distance(part, distance)) return false;
    distance =
        *DatumGetIntervalP(DirectFunctionCall2(interval_mul, IntervalPGetDatum(&distance), Float8GetDatum(number)));
    return true;
}

std::int64_t add_distance(std::int64_t local, const Interval &distance, bool is_minus) {
    return DatumGetTimestamp(DirectFunctionCall2(is_minus ? timestamp_mi_interval : timestamp_pl_interval,
                                                 TimestampGetDatum(local), IntervalPGetDatum(&distance)));
}

// Reads the time of day after a mark, such as " 23:59:59".
bool find_time_of_day(const char *text, std::int64_t &time) {
    time = 0;
    if (*text == '\0') return true;
    if ((*text != ' ' && *text != 'T') || text[1 + std::strspn(text + 1, "0123456789:.")] != '\0') return false;
    time = DatumGetTimeADT(
        DirectFunctionCall3(time_in, CStringGetDatum(text + 1), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
    return true;
}

bool find_marked(const char *text, const LocalSpan &window, std::int64_t &moment) {
    if (text[0] != '\1' || std::strlen(text) < 3) return false;
    const bool is_day = text[1] == 'd' || text[1] == 'n';
    const bool is_start = text[1] == 'd' || text[1] == 's';
    std::int64_t time = 0;
    if (!find_time_of_day(text + 3, time) || (text[3] != '\0' && !is_day)) return false;
    moment = (is_start ? window.start : window.end) + time;
    return true;
}

} // namespace

bool is_reduced_to_day(Node *value) {
    for (Node *inner = value; inner != nullptr; value = inner) {
        inner = nullptr;
        if (is_cast_to(value, "date")) return true;
        if (IsA(value, TypeCast)) inner = as<TypeCast>(value)->arg;
        if (IsA(value, CollateClause)) inner = as<CollateClause>(value)->arg;
        if (!IsA(value, FuncCall)) continue;
        const char *const name = last_name(as<FuncCall>(value)->funcname);
        if (name != nullptr && (std::strcmp(name, "date") == 0 || std::strcmp(name, "date_trunc") == 0))
            return inside_casts(value) != value;
    }
    return false;
}

bool find_moment(Node *value, const LocalSpan &window, std::int64_t &moment) {
    check_stack_depth();
    const bool is_day = is_reduced_to_day(value);
    value = inside_casts(value);
    if (IsA(value, ParamRef)) {
        moment = as<ParamRef>(value)->number == 1 ? window.start : window.end;
    } else if (const char *const text = text_of(value)) {
        if (!find_marked(text, window, moment)) return false;
    } else if (IsA(value, A_Expr)) {
        const auto *const operation = as<A_Expr>(value);
        Interval distance{};
        if (is_sign(operation, "*")) {
            // An epoch in milliseconds.
            if (!is_number(operation->rexpr) || !find_moment(operation->lexpr, window, moment)) return false;
        } else if (is_sign(operation, "+") || is_sign(operation, "-")) {
            const bool is_minus = is_sign(operation, "-");
            Node *part = operation->lexpr;
            if (!find_distance(operation->rexpr, distance)) {
                if (is_minus || !find_distance(part, distance)) return false;
                part = operation->rexpr;
            }
            // A number that is added to an epoch is not one of days.
            if (find_epoch(part, nullptr) || !find_moment(part, window, moment)) return false;
            moment = add_distance(moment, distance, is_minus);
        } else {
            return false;
        }
    } else {
        return false;
    }
    if (is_day) moment = midnight_of(moment);
    return true;
}

} // namespace pgci
