#include "target/new_table.hpp"

#include "server/guard.hpp"
#include "server/process_lock.hpp"
#include "server/shown_text.hpp"
#include "server/spi.hpp"
#include "server/sql_text.hpp"

namespace pgci {

std::string quote_if_needed(const std::string &name) {
    return pg_call([text = name.c_str()] { return ::quote_identifier(text); });
}

namespace {

std::string quoted_list(const std::vector<std::string> &names) {
    std::string list;
    for (const std::string &name : names) list += (list.empty() ? "" : ", ") + quote_if_needed(name);
    return list;
}

std::string comment_on(const std::string &object, const std::string &comment) {
    return "COMMENT ON " + object + " IS " + quote_literal(comment);
}

Oid find_exactly(const NewTable &table) {
    return pg_call([schema = table.schema.c_str(), relation = table.relation.c_str()] {
        const Oid found = get_namespace_oid(schema, true);
        if (!OidIsValid(found)) return InvalidOid;
        // As CREATE TABLE does; and it lets this session see what others have created while it waited.
        LockDatabaseObject(NamespaceRelationId, found, 0, AccessShareLock);
        return get_relname_relid(relation, found);
    });
}

// One transaction at a time creates a table of this name.
void lock_name(const NewTable &table) {
    const std::string name = table.name();
    const std::uint64_t number =
        hash_bytes_extended(reinterpret_cast<const unsigned char *>(name.data()), static_cast<int>(name.size()), 0);
    const LOCKTAG tag = lock_tag(LockClass::new_table, MyDatabaseId, number);
    pg_call([=] { (void)LockAcquire(&tag, ExclusiveLock, false, false); });
}

} // namespace

std::string NewTable::name() const { return quote_if_needed(schema) + "." + quote_if_needed(relation); }

std::vector<std::string> NewTable::statements() const {
    std::string create = "CREATE TABLE " + name() + " (";
    for (const NewColumn &column : columns)
        create += (&column == columns.data() ? "\n    " : ",\n    ") + quote_if_needed(column.name) + " " +
                  column.type.sql() + (column.is_not_null ? " NOT NULL" : "");
    if (!primary_key.empty()) create += ",\n    PRIMARY KEY (" + quoted_list(primary_key) + ")";
    create += partition_key ? "\n) PARTITION BY RANGE (" + quote_if_needed(*partition_key) + ")" : "\n)";
    std::vector<std::string> statements{create};
    if (indexed) statements.push_back("CREATE INDEX ON " + name() + " (" + quote_if_needed(*indexed) + ")");
    if (comment) statements.push_back(comment_on("TABLE " + name(), *comment));
    for (const NewColumn &column : columns)
        if (column.comment)
            statements.push_back(comment_on("COLUMN " + name() + "." + quote_if_needed(column.name), *column.comment));
    return statements;
}

std::string NewTable::script() const { return script_of(statements()); }

std::string script_of(const std::vector<std::string> &statements) {
    std::string script;
    for (const std::string &statement : statements) script += (script.empty() ? "" : "\n") + statement + ";";
    return script;
}

std::string shown_script(const std::string &script) {
    std::string shown;
    for (std::size_t begin = 0; begin <= script.size();) {
        const std::size_t end = std::min(script.find('\n', begin), script.size());
        const std::string line = script.substr(begin, end - begin);
        shown += (begin == 0 ? "" : "\n") + sanitize(line.c_str(), line.size());
        begin = end + 1;
    }
    return shorten_middle(shown);
}

NewTable::Created NewTable::create() const {
    lock_name(*this);
    if (const Oid found = find_exactly(*this); OidIsValid(found)) return {.oid = found};
    execute_definitions(statements());
    return {.oid = find_exactly(*this), .is_new = true};
}

NewColumn make_column(const DescribedColumn &column) {
    return {.name = column.name,
            .type = find_local_type(column.types.data(), column.types.size()),
            .source_type = name_of_type(column.types),
            .is_not_null = column.is_not_null,
            .comment = column.comment};
}

std::string find_creation_schema() {
    return pg_call([]() -> const char * {
        const List *const path = fetch_search_path(false);
        for (int i = 0; i < list_length(path); ++i) {
            const Oid schema = list_nth_oid(path, i);
            if (!isAnyTempNamespace(schema) && !IsCatalogNamespace(schema)) return get_namespace_name(schema);
        }
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_SCHEMA), errmsg("no schema has been selected to create the target in"),
                 errhint("Set search_path, or name the target with its schema.")));
        pg_unreachable();
    });
}

void execute_definitions(const std::vector<std::string> &statements) {
    for (const std::string &statement : statements)
        pg_call([sql = statement.c_str()] {
            spi_connect();
            const SPIPlanPtr plan = spi_prepare(sql);
            if (const int code = SPI_execute_plan(plan, nullptr, nullptr, false, 0); code < 0)
                raise_spi("SPI_execute_plan", code);
            spi_finish();
        });
}

} // namespace pgci
