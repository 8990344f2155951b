#include "run/design_target.hpp"

#include "server/compat.hpp"
#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "server/text_rows.hpp"
#include "source/described_table.hpp"
#include "target/batch_relation.hpp"

namespace pgci {

namespace {

// The result of a transform has types of this database.
std::vector<NewColumn> columns_of_transform(const CopyRequest &request, const std::vector<SourceColumn> &columns) {
    std::vector<NewColumn> made;
    for (const SourceColumn &column :
         describe_transform(*request.transform, carry_to_transform(columns), request.schema)) {
        const LocalType type = can_be_stored(column.type) ? LocalType{column.type, column.typmod} : LocalType{TEXTOID};
        made.push_back({.name = column.name, .type = type});
    }
    return made;
}

bool has_column(const NewTable &table, const std::string &name) {
    return std::any_of(table.columns.begin(), table.columns.end(),
                       [&](const NewColumn &column) { return column.name == name; });
}

// "table public.users, the target of job "users","
std::string table_of_request(const CopyRequest &request, const NewTable &table) {
    return request.job.empty() ? "target table " + table.name()
                               : "table " + table.name() + ", the target of job \"" + shorten(request.job) + "\",";
}

} // namespace

WrittenName parse_name(const std::string &name) {
    const RangeVar *const parsed =
        pg_call([text = name.c_str()] { return makeRangeVarFromNameList(compat::parse_qualified_name(text)); });
    return {parsed->schemaname != nullptr ? parsed->schemaname : "", parsed->relname};
}

NewTable design_target(const CopyRequest &request, SourceSession &source, const SourceQuery &query,
                       const std::vector<SourceColumn> &columns, const WrittenName &name) {
    NewTable table{.schema = name.schema.empty() ? find_creation_schema() : name.schema, .relation = name.relation};
    if (request.transform) {
        table.columns = columns_of_transform(request, columns);
    } else {
        DescribedTable described = describe_table(source, columns, query.reads_one_relation());
        for (const DescribedColumn &column : described.columns) table.columns.push_back(make_column(column));
        table.primary_key = std::move(described.primary_key);
        table.comment = std::move(described.comment);
    }
    if (request.create_partitions != CreatePartitions::none) table.partition_key = request.window_column;
    if (request.key_columns)
        table.primary_key = *request.key_columns;
    else if (table.partition_key && std::find(table.primary_key.begin(), table.primary_key.end(),
                                              *table.partition_key) == table.primary_key.end())
        table.left_out_key = std::exchange(table.primary_key, {});
    if (request.window_column && has_column(table, *request.window_column) &&
        (table.primary_key.empty() || table.primary_key.front() != *request.window_column))
        table.indexed = request.window_column;
    return table;
}

std::string describe_differences(const NewTable &table) {
    std::vector<std::string> list;
    for (const NewColumn &column : table.columns)
        if (!column.type.is_same)
            list.push_back(column.name + ": " + column.source_type + " becomes " + column.type.sql());
    std::string differences;
    if (!list.empty())
        differences = "This database does not have the types of these columns: " + shorten_list(list) + ".";
    if (!table.left_out_key.empty())
        differences += std::string(differences.empty() ? "" : " ") +
                       "It has no primary key, because that of the source, (" + shorten_list(table.left_out_key) +
                       "), does not have the column by which it is partitioned.";
    return differences;
}

std::string missing_grant(const NewTable &table) {
    if (select_rows("SELECT 1 WHERE pg_catalog.has_schema_privilege($1::pg_catalog.name, 'CREATE')", {table.schema})
            .size() == 1)
        return "";
    return pg_call([schema = table.schema.c_str()] {
        return psprintf("GRANT CREATE ON SCHEMA %s TO %s", quote_identifier(schema),
                        quote_identifier(GetUserNameFromId(GetUserId(), false)));
    });
}

void raise_no_target(const CopyRequest &request, const NewTable &table) {
    const std::string named = table_of_request(request, table);
    const std::string script = shown_script(table.script());
    pg_call([&] {
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("%s does not exist", named.c_str()),
                        request.job.empty() ? errdetail("The query reads this table at the source, so the target is "
                                                        "the table of that name here.")
                                            : 0,
                        request.create_target ? errhint("The next run will create it:\n%s", script.c_str())
                        : request.job.empty() ? errhint("Pass target => 'schema.table' for another table, "
                                                        "create_target => true to have it created, or create it:\n%s",
                                                        script.c_str())
                                              : errhint("Define the job with create_target => true to have it "
                                                        "created, or create it:\n%s",
                                                        script.c_str())));
    });
    pg_unreachable();
}

NewTable::Created create_target(const CopyRequest &request, const NewTable &table) {
    if (const std::string grant = missing_grant(table); !grant.empty())
        raise(sqlstate::insufficient_privilege, "permission denied for schema " + table.schema, "Run " + grant + ".",
              "The target " + table.name() + " does not exist and is to be created.");
    const NewTable::Created created = table.create();
    if (!created.is_new) return created;
    const std::string named = table_of_request(request, table);
    const std::string differences = describe_differences(table);
    pg_call([&] {
        ereport(NOTICE, (errmsg("%s was created", named.c_str()),
                         differences.empty() ? 0 : errdetail_internal("%s", differences.c_str())));
    });
    return created;
}

} // namespace pgci
