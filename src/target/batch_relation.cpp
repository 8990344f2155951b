#include "target/batch_relation.hpp"

#include "server/extension.hpp"
#include "server/spi.hpp"
#include "server/sql_text.hpp"
#include "server/user_text.hpp"
#include "template/template_scanner.hpp"
#include "template/template_statement.hpp"
#include "target/conversion.hpp"
#include "target/other_planner.hpp"

namespace pgci {

namespace {

// Returns the function that returns the batch. Checks that it is still a C function: the caller executes it, its owner
// could have replaced it, and only a superuser can create a C function.
Oid find_batch_function(Oid schema) {
    check_extension();
    const Oid found = pg_call([=] {
        oidvector *const no_arguments = buildoidvector(nullptr, 0);
        const HeapTuple function = SearchSysCache3(PROCNAMEARGSNSP, CStringGetDatum("copy_incremental_batch_rows"),
                                                   PointerGetDatum(no_arguments), ObjectIdGetDatum(schema));
        if (!HeapTupleIsValid(function)) return Oid{InvalidOid};
        const auto *const form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(function));
        const Oid of_language_c = form->prolang == ClanguageId ? form->oid : Oid{InvalidOid};
        ReleaseSysCache(function);
        return of_language_c;
    });
    if (!OidIsValid(found))
        raise(sqlstate::insufficient_privilege, "function copy_incremental_batch_rows() is not that of the extension",
              "Its owner has replaced or dropped it. Create the extension again.");
    return found;
}

// Reads the batch from a function in FROM instead of an ephemeral named relation, because a distributing planner
// (Citus) supports only the function.
std::string batch_function(const ColumnMap &map, Oid schema) {
    const std::string schema_name = pg_call([=] { return get_namespace_name(schema); });
    std::string declared;
    for (const MappedColumn &column : map.columns)
        declared.append(declared.empty() ? "" : ", ")
            .append(quote_identifier(column.name))
            .append(" ")
            .append(qualified_type_name(column.batch_type));
    return quote_identifier(schema_name) + ".copy_incremental_batch_rows() AS batch(" + declared + ")";
}

void add_column(BatchRelation &relation, const Target &target, const std::string &name, BatchRelation::ValueType type) {
    relation.columns.push_back(name);
    relation.types.push_back(type);
    // The columns of the tables behind a view are unknown here. The clause has no effect without an identity column.
    if (target.find_column(name)->is_identity_always || target.is_view()) relation.overrides_identity = true;
}

std::string unused_name(const std::vector<std::string> &names) {
    std::string name = "ordinal";
    for (int i = 1; std::find(names.begin(), names.end(), name) != names.end(); ++i)
        name = "ordinal" + std::to_string(i);
    return name;
}

// Analyzes a query and returns its result columns. An error position in `query` after `offset` characters is moved into
// `shown`.
std::vector<SourceColumn> describe_query(const std::string &query, int offset, const std::string &shown) {
    const char *const sql = query.c_str();
    TupleDesc result = nullptr;
    try {
        result = pg_call([=] {
            spi_connect();
            const SPIPlanPtr plan = spi_prepare(sql);
            const auto *const source = static_cast<CachedPlanSource *>(linitial(SPI_plan_get_plan_sources(plan)));
            const MemoryContext inner = MemoryContextSwitchTo(CurTransactionContext);
            const TupleDesc description = CreateTupleDescCopy(source->resultDesc);
            MemoryContextSwitchTo(inner);
            spi_finish();
            return description;
        });
    } catch (const PgError &error) {
        const char *const failed = error.data()->internalquery;
        if (failed == nullptr || query == failed) point_into(error.data(), shown, offset);
        throw;
    }
    std::vector<SourceColumn> columns;
    for (int i = 0; i < result->natts; ++i) {
        const Form_pg_attribute attribute = TupleDescAttr(result, i);
        columns.push_back(
            {.name = NameStr(attribute->attname), .type = attribute->atttypid, .typmod = attribute->atttypmod});
    }
    return columns;
}

// Raises 42601 for an empty text and for more than one statement.
std::string without_semicolon(const std::string &transform) {
    return transform.substr(0, scan_template(transform, "transform", "SELECT").length);
}

} // namespace

std::string BatchRelation::select_list() const {
    std::string list;
    for (const std::string &column : columns) {
        if (!list.empty()) list += ", ";
        list += alias + "." + quote_identifier(column);
    }
    return list;
}

// Values that arrive as text are read with the modifier of the target.
static BatchRelation::ValueType value_type(const MappedColumn &column, const std::vector<SourceColumn> &source) {
    if (column.as_text) return {column.batch_type, column.batch_typmod};
    const auto from =
        std::find_if(source.begin(), source.end(), [&](const SourceColumn &one) { return one.name == column.name; });
    return {column.batch_type, from == source.end() ? -1 : from->typmod};
}

BatchRelation plain_batch(const ColumnMap &map, const std::vector<SourceColumn> &source, const Target &target,
                          Oid schema) {
    BatchRelation relation{
        .from = batch_function(map, schema), .alias = "batch", .function = find_batch_function(schema)};
    for (const MappedColumn &column : map.columns)
        add_column(relation, target, column.name, value_type(column, source));
    relation.ordinal = unused_name(relation.columns);
    return relation;
}

void check_transform(const std::string &transform) {
    if (kind_of_statement(without_semicolon(transform)) != StatementKind::query)
        raise(sqlstate::syntax_error, "transform must be a single SELECT",
              "It reads the relation \"batch\" and returns the rows for the target.");
}

// Citus sends a query of a single shard to the server of this shard as a whole, but not if it reads a catalog, which every
// server has for itself. The batch is only here.
static std::string batch_of_transform(const ColumnMap &batch_columns, Oid schema) {
    const char *const stays = has_citus() ? " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE oid "
                                            "OPERATOR(pg_catalog.=) 0)"
                                          : "";
    return "batch AS (SELECT * FROM " + batch_function(batch_columns, schema) + stays + ")";
}

std::vector<SourceColumn> describe_transform(const std::string &transform, const ColumnMap &batch_columns, Oid schema) {
    (void)find_batch_function(schema);
    const std::string select = without_semicolon(transform);
    const std::string head = "WITH " + batch_of_transform(batch_columns, schema) + " SELECT * FROM (";
    const int offset = pg_mbstrlen_with_len(head.data(), static_cast<int>(head.size()));
    return describe_query(head + select + "\n) AS result", offset, select);
}

BatchRelation transformed_batch(const std::string &transform, const ColumnMap &batch_columns, const Target &target,
                                Oid schema) {
    BatchRelation relation{
        .with = batch_of_transform(batch_columns, schema), .alias = "result", .function = find_batch_function(schema)};
    const std::vector<SourceColumn> result = describe_transform(transform, batch_columns, schema);
    for (const SourceColumn &column : map_by_name(result, target, "transform"))
        add_column(relation, target, column.name, {column.type, column.typmod});
    relation.from = "(" + without_semicolon(transform) + "\n) AS result";
    relation.ordinal = unused_name(relation.columns);
    return relation;
}

} // namespace pgci
