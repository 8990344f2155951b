#include "ledger/stored_options.hpp"

#include "server/guard.hpp"
#include "server/sql_text.hpp"

namespace pgci {

namespace {

// The others have columns of their own, or belong to a call.
bool is_stored(const OptionEntry &option) { return option.name != "target" && option.name != "time_zone"; }

Oid type_of(const OptionEntry &option) {
    if (option.sql_type == "integer") return INT4OID;
    if (option.sql_type == "bigint") return INT8OID;
    if (option.sql_type == "boolean") return BOOLOID;
    return option.sql_type == "text[]" ? TEXTARRAYOID : TEXTOID;
}

NullableDatum datum_of(const Parameter &parameter) { return {parameter.value, parameter.is_null}; }

} // namespace

NamedValues values_of(const RequestOptions &options) {
    std::vector<std::string> names;
    std::vector<NullableDatum> values;
    const auto add = [&](const char *name, NullableDatum value) {
        names.emplace_back(name);
        values.push_back(value);
    };
    constexpr NullableDatum null{Datum{0}, true};
#define OPTION_WORD(name, ...) add(#name, datum_of(text_parameter(word_of(options.name))));
#define OPTION_INTEGER(name, ...) add(#name, {Int32GetDatum(options.name), false});
#define OPTION_NUMBER(name, ...) add(#name, options.name ? NullableDatum{Int32GetDatum(*options.name), false} : null);
#define OPTION_COUNT(name, ...) add(#name, options.name ? datum_of(int8_parameter(*options.name)) : null);
#define OPTION_FLAG(name, ...) add(#name, {BoolGetDatum(options.name), false});
#define OPTION_TEXT(name, ...) add(#name, options.name ? datum_of(text_parameter(*options.name)) : null);
#define OPTION_NAMES(name, ...) add(#name, options.name ? datum_of(texts_parameter(*options.name)) : null);
#define OPTION_RELATION(name, ...) add(#name, {ObjectIdGetDatum(options.name), false});
#include "request/options.inc"
    return {std::move(names), std::move(values)};
}

std::string options_to_store(const NamedValues &options, std::vector<Parameter> &parameters) {
    std::string members;
    for (const OptionEntry &option : all_options) {
        if (!is_stored(option)) continue;
        const std::string name(option.name);
        const bool is_null = options.is_null(name.c_str());
        parameters.push_back({type_of(option), is_null ? Datum{0} : options.value(name.c_str()), is_null});
        std::string value = "$" + std::to_string(parameters.size());
        if (option.sql_default != "NULL")
            value.insert(0, "nullif(").append(", ").append(option.sql_default).append(")");
        members.append(members.empty() ? "" : ", ").append(quote_literal(name) + ", " + value);
    }
    return "jsonb_strip_nulls(jsonb_build_object(" + members + "))";
}

std::string stored_options(const std::string &options) {
    std::string columns;
    std::string types;
    for (const OptionEntry &option : all_options) {
        if (!is_stored(option)) continue;
        const std::string name(option.name);
        columns.append(columns.empty() ? "" : ", ")
            .append("coalesce(o." + name + ", " + std::string(option.sql_default))
            .append(") AS " + name);
        types.append(types.empty() ? "" : ", ").append(name + " " + std::string(option.sql_type));
    }
    return "LATERAL (SELECT " + columns + " FROM jsonb_to_record(" + options + ") AS o(" + types + "))";
}

} // namespace pgci
