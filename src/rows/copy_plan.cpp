#include "rows/copy_plan.hpp"

#include "server/guard.hpp"
#include "server/spi.hpp"
#include "target/conversion.hpp"

namespace pgci {

namespace {

bool is_string(Oid type) { return type == TEXTOID || type == VARCHAROID || type == BPCHAROID; }

// Returns whether a user has created the cast on this server; the source may have a different one.
bool is_of_user(Oid from, Oid into) {
    const HeapTuple tuple = SearchSysCache2(CASTSOURCETARGET, ObjectIdGetDatum(from), ObjectIdGetDatum(into));
    if (!HeapTupleIsValid(tuple)) return false;
    const Oid cast = reinterpret_cast<Form_pg_cast>(GETSTRUCT(tuple))->oid;
    ReleaseSysCache(tuple);
    return cast >= FirstNormalObjectId;
}

// Returns whether values have the same text here and in the session at the source.
bool prints_as_source(Oid type) {
    const Oid element = get_element_type(type);
    const auto setting = [](const char *name) { return GetConfigOption(name, false, false); };
    const bool has_money = type == MONEYOID || element == MONEYOID;
    return std::strncmp(setting("DateStyle"), "ISO", 3) == 0 &&
           std::strcmp(setting("IntervalStyle"), "postgres") == 0 && std::atoi(setting("extra_float_digits")) > 0 &&
           std::strcmp(setting("bytea_output"), "hex") == 0 &&
           (!has_money || std::strcmp(setting("lc_monetary"), "C") == 0);
}

// Returns whether the source may perform a cast between types that both servers have.
bool can_cast_at_source(Oid from, Oid into) {
    Oid function = InvalidOid;
    const CoercionPathType kind = find_coercion_pathway(into, from, COERCION_ASSIGNMENT, &function);
    if (kind == COERCION_PATH_NONE || is_of_user(from, into)) return false;
    const Oid from_element = get_element_type(from);
    const Oid into_element = get_element_type(into);
    if (OidIsValid(from_element) && OidIsValid(into_element) && is_of_user(from_element, into_element)) return false;
    const bool depends_on_settings = kind == COERCION_PATH_COERCEVIAIO || from == MONEYOID || into == MONEYOID;
    return !depends_on_settings || prints_as_source(from);
}

Passage find_passage(const MappedColumn &column, Oid base) {
    const bool is_read_as_source_type = column.batch_type == column.source_type;
    if (column.as_text && (is_string(base) || column.source_type == base || !is_read_as_source_type))
        return is_string(base) ? Passage::by_text : Passage::in_text;
    if (column.source_type == base) return Passage::as_it_is;
    if (!has_common_binary_form(base) || !can_cast_at_source(column.source_type, base)) return Passage::not_possible;
    return Passage::by_cast;
}

// Receive functions convert text from client_encoding, but the source sends text in the encoding of this database.
bool receives_database_encoding() {
    const int client = pg_get_client_encoding();
    return client == GetDatabaseEncoding() || client == PG_SQL_ASCII;
}

void analyze(const char *statement, const UsedRelation &target) {
    pg_call([=] {
        spi_connect();
        (void)spi_prepare(statement, target);
        spi_finish();
    });
}

[[noreturn]] void refuse(const MappedColumn &column, const TargetColumn &into) {
    raise(sqlstate::feature_not_supported,
          "method copy cannot convert column \"" + column.name + "\" from " + type_text(column.source_type, -1) +
              " to " + type_text(into.type, into.typmod),
          "Use method => 'cursor', or cast the column in the query.",
          "The source would have to cast it, and its cast need not be the one of this session.");
}

} // namespace

CopyPlan find_copy_plan(const ColumnMap &map, const Target &target) {
    CopyPlan plan;
    plan.is_binary = receives_database_encoding();
    plan.is_whole_query = map.all_binary_in_order;
    for (const MappedColumn &column : map.columns) {
        const Oid into = target.find_column(column.name)->type;
        const Oid base = pg_call([=] { return getBaseType(into); });
        const Passage passage = pg_call([&] { return find_passage(column, base); });
        if (passage == Passage::in_text) plan.is_binary = false;
        const Oid cast = passage == Passage::as_it_is  ? Oid{InvalidOid}
                         : passage == Passage::by_cast ? base
                                                       : Oid{TEXTOID};
        if (OidIsValid(cast)) plan.is_whole_query = false;
        plan.columns.push_back({column.name, passage, cast});
    }
    return plan;
}

CopyPlan plan_copy(const ColumnMap &map, const Target &target, const std::string &insert) {
    analyze(insert.c_str(), target.used_for(ACL_INSERT));
    CopyPlan plan = find_copy_plan(map, target);
    for (std::size_t i = 0; i < plan.columns.size(); ++i)
        if (plan.columns[i].passage == Passage::not_possible)
            refuse(map.columns[i], *target.find_column(plan.columns[i].name));
    return plan;
}

} // namespace pgci
