#include "target/typed_slice.hpp"

#include "server/guard.hpp"
#include "server/user_text.hpp"
#include "template/column_window.hpp"
#include "template/parse_tree.hpp"
#include "template/slice.hpp"
#include "template/template_scanner.hpp"
#include "template/window_bounds.hpp"
#include "source/bound_types.hpp"
#include "target/conversion.hpp"

namespace pgci {

namespace {

// The types of $1 and $2; invalid for one that is not used.
using ParameterTypes = std::array<Oid, 2>;

ParameterTypes infer_types(const char *condition, Oid target) {
    const Relation relation = table_open(target, NoLock);
    ParseState *const state = make_parsestate(nullptr);
    state->p_sourcetext = condition;
    Oid *types = nullptr;
    int count = 0;
    setup_parse_variable_parameters(state, &types, &count);
    ParseNamespaceItem *const item =
        addRangeTableEntryForRelation(state, relation, AccessShareLock, nullptr, false, false);
    addNSItemToQuery(state, item, false, true, true);
    coerce_to_boolean(state, transformExpr(state, expression_of(parse_expression(condition)), EXPR_KIND_WHERE),
                      "WHERE");
    free_parsestate(state);
    table_close(relation, NoLock);
    ParameterTypes result{};
    for (int i = 0; i < count && i < 2; ++i) result[static_cast<std::size_t>(i)] = types[i];
    return result;
}

char category_of(Oid type) {
    return pg_call([=] {
        char category = '\0';
        bool is_preferred = false;
        get_type_category_preferred(type, &category, &is_preferred);
        return category;
    });
}

std::string value_of(Oid type, std::size_t place, const std::string &replace_where, const Window &window,
                     const TimeZone &zone) {
    const std::string &moment = place == 0 ? window.text().start : window.text().end;
    if (!OidIsValid(type) || type == UNKNOWNOID || type == TIMESTAMPTZOID) return moment;
    const std::string name = "parameter $" + std::to_string(place + 1) + " of replace_where";
    if (type == TIMESTAMPOID || type == DATEOID) {
        const ColumnWindow local = window_in_type(window, type, zone, name);
        return place == 0 ? local.start : local.end;
    }
    const char category = category_of(type);
    if (category == TYPCATEGORY_STRING || category == TYPCATEGORY_NUMERIC || type == TIMEOID || type == TIMETZOID)
        raise_no_moment({.subject = name,
                         .type_name = type_text(type, -1),
                         .type = type,
                         .is_text = category == TYPCATEGORY_STRING,
                         .column = find_bounds(replace_where, BoundedText::condition).column});
    return moment;
}

} // namespace

std::string typed_slice(const std::string &replace_where, const std::string &put_in, const Target &target,
                        const Window &window, const TimeZone &zone) {
    const bool has_parameters = !scan_template(replace_where, "replace_where", "condition").parameters.empty();
    const std::string &text = has_parameters ? replace_where : put_in;
    const char *const condition = text.c_str();
    const Oid oid = target.oid();
    const ParameterTypes types =
        with_errors_in(text, [&] { return pg_call([=] { return infer_types(condition, oid); }); });
    if (!has_parameters) return put_in;
    return put_in_values(replace_where, {value_of(types[0], 0, replace_where, window, zone),
                                         value_of(types[1], 1, replace_where, window, zone)});
}

} // namespace pgci
