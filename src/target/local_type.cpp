#include "target/local_type.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "server/text_rows.hpp"
#include "target/column_map.hpp"
#include "target/conversion.hpp"

namespace pgci {

namespace {

constexpr LocalType text_instead{.type = TEXTOID, .typmod = -1, .is_same = false};

// Finds the type of this kind and name, over this base type. A type of pg_catalog is not the one that the source means.
// The source must not choose code that runs with the privileges of the caller, and the owner of a type can drop it with
// all columns of it. So the type must belong to the caller, to a superuser, or to a role that a caller without superuser
// privileges is a member of.
Oid find_named(const SourceType &type, Oid base) {
    const std::vector<TextRow> found =
        select_rows(R"(SELECT t.oid FROM pg_catalog.pg_type AS t
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
WHERE t.typname OPERATOR(pg_catalog.=) $2::pg_catalog.name AND t.typtype OPERATOR(pg_catalog.=) $3::pg_catalog."char"
    AND t.typisdefined AND n.nspname OPERATOR(pg_catalog.<>) 'pg_catalog'
    AND NOT pg_catalog.starts_with(n.nspname::pg_catalog.text, 'pg_temp')
    AND (n.nspname OPERATOR(pg_catalog.=) $1::pg_catalog.name OR pg_catalog.pg_type_is_visible(t.oid))
    AND NOT EXISTS (SELECT FROM pg_catalog.unnest($4::pg_catalog.text[]) AS l(label) WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_enum AS e WHERE e.enumtypid OPERATOR(pg_catalog.=) t.oid
            AND e.enumlabel::pg_catalog.text OPERATOR(pg_catalog.=) l.label))
    AND EXISTS (SELECT FROM pg_catalog.pg_roles AS o, pg_catalog.pg_roles AS u
        WHERE o.oid OPERATOR(pg_catalog.=) t.typowner AND u.rolname OPERATOR(pg_catalog.=) CURRENT_USER
        AND (o.oid OPERATOR(pg_catalog.=) u.oid OR o.rolsuper
            OR NOT u.rolsuper AND pg_catalog.pg_has_role(o.oid, 'MEMBER')))
ORDER BY n.nspname OPERATOR(pg_catalog.<>) $1::pg_catalog.name LIMIT 1)",
                    {type.schema, type.name, std::string(1, type.kind), type.kind == 'e' ? type.labels : "{}"}, true);
    if (found.empty()) return InvalidOid;
    const auto oid = static_cast<Oid>(std::stoul(*found[0][0]));
    return type.kind != 'd' || pg_call([=] { return getBaseType(oid); }) == base ? oid : InvalidOid;
}

} // namespace

std::string LocalType::sql() const {
    return type < first_unstable_oid ? type_text(type, typmod) : qualified_type_name(type, typmod);
}

bool can_be_stored(Oid type) {
    return pg_call([=] {
        const Oid element = get_element_type(type);
        const Oid scalar = OidIsValid(element) ? element : type;
        const char kind = get_typtype(scalar);
        // The rows of a catalog are not the same in other versions.
        return kind != '\0' && kind != TYPTYPE_PSEUDO && (kind != TYPTYPE_COMPOSITE || scalar >= first_unstable_oid);
    });
}

LocalType find_local_type(const SourceType *types, std::size_t count) {
    const SourceType &type = types[0];
    if (type.oid < first_unstable_oid) return can_be_stored(type.oid) ? LocalType{type.oid, type.typmod} : text_instead;
    const LocalType inner = count > 1 ? find_local_type(types + 1, count - 1) : text_instead;
    switch (type.kind) {
    case 'a': {
        const Oid array = pg_call([&] { return get_array_type(inner.type); });
        return OidIsValid(array) ? LocalType{array, inner.typmod, inner.is_same} : text_instead;
    }
    case TYPTYPE_DOMAIN: {
        const Oid found = find_named(type, pg_call([&] { return getBaseType(inner.type); }));
        return OidIsValid(found) ? LocalType{found} : LocalType{inner.type, inner.typmod, false};
    }
    case TYPTYPE_BASE:
    case TYPTYPE_ENUM:
    case TYPTYPE_RANGE:
    case TYPTYPE_MULTIRANGE: {
        const Oid found = find_named(type, InvalidOid);
        return OidIsValid(found) ? LocalType{found, type.typmod} : text_instead;
    }
    default:
        return text_instead;
    }
}

std::string name_of_type(const std::vector<SourceType> &types) {
    std::string suffix;
    for (const SourceType &type : types) {
        if (type.kind == 'a') {
            suffix += "[]";
            continue;
        }
        return sanitize((type.schema + "." + type.name).c_str(), 2 * NAMEDATALEN) + suffix;
    }
    return "an array";
}

} // namespace pgci
