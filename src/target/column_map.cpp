#include "target/column_map.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "target/conversion.hpp"

namespace pgci {

namespace {

// Values of these types contain OIDs of the source's database, which are different here. Their text contains the name.
bool holds_local_oids(Oid type) {
    switch (type) {
    case REGPROCOID:
    case REGPROCEDUREOID:
    case REGOPEROID:
    case REGOPERATOROID:
    case REGCLASSOID:
    case REGCOLLATIONOID:
    case REGTYPEOID:
    case REGROLEOID:
    case REGNAMESPACEOID:
    case REGCONFIGOID:
    case REGDICTIONARYOID:
        return true;
    default:
        return false;
    }
}

// The receive functions of these types do not return the sent value: xml loses its declaration, empty vectors (and,
// from 18.6, empty text search queries) are refused, and the other types refuse every value.
bool is_not_received_as_sent(Oid type) {
    switch (type) {
    case XMLOID:
    case INT2VECTOROID:
    case OIDVECTOROID:
    case TSQUERYOID:
    case PG_NODE_TREEOID:
    case PG_NDISTINCTOID:
    case PG_DEPENDENCIESOID:
    case PG_MCV_LISTOID:
    case PG_BRIN_BLOOM_SUMMARYOID:
    case PG_BRIN_MINMAX_MULTI_SUMMARYOID:
        return true;
    default:
        return false;
    }
}

} // namespace

bool has_common_binary_form(Oid type) {
    if (type >= first_unstable_oid || holds_local_oids(type) || is_not_received_as_sent(type)) return false;
    const HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
    if (!HeapTupleIsValid(tuple)) return false;
    const auto *const form = reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple));
    const bool sendable = form->typtype != TYPTYPE_PSEUDO && form->typtype != TYPTYPE_COMPOSITE &&
                          OidIsValid(form->typreceive) && OidIsValid(form->typsend);
    ReleaseSysCache(tuple);
    const Oid element = get_element_type(type);
    return sendable && (!OidIsValid(element) || has_common_binary_form(element));
}

namespace {

struct BatchType {
    Oid type = InvalidOid;
    int typmod = -1;
};

// Returns the type as which text is read: the target's type, or the base type of a domain. The INSERT checks the
// domain, as it does for every other column.
BatchType text_batch_type(const TargetColumn &into) {
    return pg_call([&] {
        int32 typmod = into.typmod;
        const Oid base = getBaseTypeAndTypmod(into.type, &typmod);
        return BatchType{.type = base, .typmod = typmod};
    });
}

// Lists the columns; the types that this server does not know by OID are left out.
std::string list_source(const std::vector<SourceColumn> &columns) {
    std::vector<std::string> list;
    list.reserve(columns.size());
    for (const SourceColumn &column : columns)
        list.push_back(column.name +
                       (column.type < first_unstable_oid ? " " + type_text(column.type, column.typmod) : ""));
    return shorten_list(list);
}

std::string list_target(const std::vector<TargetColumn> &columns) {
    std::vector<std::string> list;
    list.reserve(columns.size());
    for (const TargetColumn &column : columns)
        list.push_back(column.name + " " + type_text(column.type, column.typmod));
    return shorten_list(list);
}

[[noreturn]] void raise_mismatch(const std::string &message, const std::vector<SourceColumn> &source,
                                 const Target &target) {
    raise(sqlstate::datatype_mismatch, message,
          "Columns map by name. Name or leave out columns in the query, add them to the target, or pass on_new_column.",
          "Source: " + list_source(source) + ". Target: " + list_target(target.columns()) + ".");
}

void check_duplicates(const std::vector<SourceColumn> &source, const char *what) {
    std::vector<std::string_view> names;
    names.reserve(source.size());
    for (const SourceColumn &column : source) names.push_back(column.name);
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end())
        raise(sqlstate::duplicate_column,
              std::string(what) + " returns the column \"" + shorten(*twice) + "\" more than once",
              "Columns map by name; give each one a name of its own with AS.");
}

// Uses binary format if both servers have the type, else text that is read as type `text`; or as the type itself, if both
// servers have it and only its binary forms differ.
MappedColumn carry(const SourceColumn &column, BatchType text) {
    const Oid type = column.type;
    const bool is_common = pg_call([=] { return has_common_binary_form(type); });
    const bool binary = is_common && !column.is_text_only;
    if (is_common && text.type != type) text = {.type = type};
    return {.name = column.name,
            .source_type = type,
            .as_text = !binary,
            .batch_type = binary ? type : text.type,
            .batch_typmod = binary ? -1 : text.typmod};
}

void add(ColumnMap &map, MappedColumn column) {
    if (column.as_text) map.all_binary_in_order = false;
    map.columns.push_back(std::move(column));
}

} // namespace

std::vector<SourceColumn> map_by_name(const std::vector<SourceColumn> &columns, const Target &target,
                                      const char *what) {
    check_duplicates(columns, what);
    std::vector<SourceColumn> mapped;
    for (const SourceColumn &column : columns) {
        if (column.is_left_out) continue;
        const TargetColumn *const into = target.find_column(column.name);
        if (into == nullptr)
            raise_mismatch("source column \"" + shorten(column.name) + "\" does not exist in target " + target.name(),
                           columns, target);
        if (!into->is_generated) mapped.push_back(column);
    }
    if (mapped.empty())
        raise_mismatch("source has no column that can be written to target " + target.name(), columns, target);
    return mapped;
}

std::vector<std::string> find_left_null(const Target &target, const std::vector<std::string> &filled) {
    std::vector<std::string> left;
    if (target.is_view()) return left;
    for (const TargetColumn &column : target.columns())
        if (!column.has_default && !column.is_generated &&
            std::find(filled.begin(), filled.end(), column.name) == filled.end())
            left.push_back(column.name);
    return left;
}

ColumnMap carry_to_target(const std::vector<SourceColumn> &columns, const Target &target) {
    const std::vector<SourceColumn> mapped = map_by_name(columns, target, "query");
    ColumnMap map{.all_binary_in_order = mapped.size() == columns.size()};
    for (const SourceColumn &column : mapped)
        add(map, carry(column, text_batch_type(*target.find_column(column.name))));
    return map;
}

ColumnMap carry_to_transform(const std::vector<SourceColumn> &columns) {
    check_duplicates(columns, "query");
    ColumnMap map;
    for (const SourceColumn &column : columns) add(map, carry(column, {.type = TEXTOID}));
    return map;
}

} // namespace pgci
