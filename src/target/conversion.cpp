#include "target/conversion.hpp"

#include "server/guard.hpp"

namespace pgci {

namespace {

struct Pathway {
    CoercionPathType kind;
    const char *function;
    Oid base;
    int32 typmod; // modifier of the base type
};

Pathway find_pathway(Oid from, Oid to, int32 typmod) {
    Pathway pathway{COERCION_PATH_NONE, nullptr, InvalidOid, typmod};
    pathway.base = getBaseTypeAndTypmod(to, &pathway.typmod);
    Oid function = InvalidOid;
    if (from == pathway.base) {
        pathway.kind = COERCION_PATH_RELABELTYPE;
    } else {
        pathway.kind = find_coercion_pathway(pathway.base, from, COERCION_ASSIGNMENT, &function);
        if (pathway.kind == COERCION_PATH_FUNC) pathway.function = format_procedure(function);
        if (pathway.kind == COERCION_PATH_NONE && can_coerce_type(1, &from, &to, COERCION_ASSIGNMENT))
            pathway.kind = COERCION_PATH_RELABELTYPE;
    }
    return pathway;
}

std::string describe(Oid from, const Pathway &pathway) {
    switch (pathway.kind) {
    case COERCION_PATH_RELABELTYPE:
        return from == pathway.base ? ""
                                    : "taken for " + std::string(pg_call([&] { return format_type_be(pathway.base); }));
    case COERCION_PATH_FUNC:
        return std::string("cast by ") + pathway.function;
    case COERCION_PATH_ARRAYCOERCE:
        return "cast element by element";
    case COERCION_PATH_COERCEVIAIO:
        return "cast through text";
    default:
        return "no assignment cast";
    }
}

} // namespace

std::string type_text(Oid type, int typmod) {
    return pg_call(
        [=] { return format_type_extended(type, typmod, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_ALLOW_INVALID); });
}

std::string qualified_type_name(Oid type, int typmod) {
    return pg_call(
        [=] { return format_type_extended(type, typmod, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY); });
}

Conversion find_conversion(Oid from, const TargetColumn &into) {
    const Pathway pathway = pg_call([&] { return find_pathway(from, into.type, into.typmod); });
    Conversion conversion{.exists = pathway.kind != COERCION_PATH_NONE, .description = describe(from, pathway)};
    if (!conversion.exists) return conversion;
    const auto add = [&](const std::string &step) {
        conversion.description += (conversion.description.empty() ? "" : ", ") + step;
    };
    if (pathway.typmod >= 0) add("fitted to " + type_text(pathway.base, pathway.typmod));
    if (pathway.base != into.type) add("checked by domain " + type_text(into.type, -1));
    return conversion;
}

} // namespace pgci
