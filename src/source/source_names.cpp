#include "source/source_names.hpp"

#include <set>

#include "server/sql_text.hpp"

namespace pgci {

TableName table_name(RemoteConnection &connection, Oid table) {
    const Answer found =
        ask(connection,
            {.kind = "the question about a table's name",
             .statement =
                 RemoteConnection::Statement{
                     .sql = "SELECT n.nspname, c.relname FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace "
                            "AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE c.oid "
                            "OPERATOR(pg_catalog.=) $1::pg_catalog.oid",
                     .parameters = {std::to_string(table)}},
             .columns = 2});
    return {found.name(0, 0), found.name(0, 1)};
}

std::vector<std::string> relation_names(const SourceQuery &query) {
    std::set<std::string> each;
    for (const WrittenName &name : query.relations())
        each.insert((name.schema.empty() ? "" : quote_identifier(name.schema) + ".") + quote_identifier(name.relation));
    return {each.begin(), each.end()};
}

Question tables_question(const SourceQuery &query) {
    const std::vector<std::string> names = relation_names(query);
    const auto count = static_cast<std::int64_t>(names.size());
    return {.kind = "the question about the query's tables",
            .statement =
                RemoteConnection::Statement{
                    .sql =
                        "SELECT DISTINCT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM "
                        "pg_catalog.unnest($1::pg_catalog.text[]) AS u(name) JOIN pg_catalog.pg_class AS c ON c.oid "
                        "OPERATOR(pg_catalog.=) coalesce(pg_catalog.pg_partition_root(pg_catalog.to_regclass(u.name)), "
                        "pg_catalog.to_regclass(u.name))::pg_catalog.oid JOIN pg_catalog.pg_namespace AS n ON n.oid "
                        "OPERATOR(pg_catalog.=) c.relnamespace ORDER BY 1",
                    .parameters = {array_literal(names)}},
            .least_rows = 0,
            .most_rows = count,
            .most_bytes = 2048 * count};
}

std::vector<std::string> read_tables(const Answer &answer) {
    std::vector<std::string> tables;
    for (std::size_t i = 0; i < answer.rows(); ++i) tables.push_back(answer.text(i, 0));
    return tables;
}

std::vector<std::string> type_names(RemoteConnection &connection, const std::vector<SourceColumn> &columns) {
    std::string types;
    std::string modifiers;
    for (const SourceColumn &column : columns) {
        types.append(types.empty() ? "{" : ",").append(std::to_string(column.type));
        modifiers.append(modifiers.empty() ? "{" : ",").append(std::to_string(column.typmod));
    }
    const auto count = static_cast<std::int64_t>(columns.size());
    const Answer found = ask(
        connection,
        {.kind = "the question about the types' names",
         .statement =
             RemoteConnection::Statement{.sql = "SELECT pg_catalog.format_type(t, m) FROM ROWS FROM "
                                                "(pg_catalog.unnest($1::pg_catalog.oid[]), "
                                                "pg_catalog.unnest($2::pg_catalog.int4[])) WITH ORDINALITY AS u(t, m, "
                                                "place) ORDER BY place",
                                         .parameters = {types + "}", modifiers + "}"}},
         .least_rows = count,
         .most_rows = count,
         .most_bytes = 1024 * count});
    std::vector<std::string> names;
    for (std::size_t i = 0; i < found.rows(); ++i) names.push_back(found.text(i, 0));
    return names;
}

} // namespace pgci
