#include "proof/window_comparison.hpp"

#include "server/guard.hpp"
#include "server/sql_text.hpp"
#include "server/text_rows.hpp"
#include "template/slice.hpp"
#include "proof/catalog_check.hpp"

namespace pgci {

namespace {

// Returns whether the query reads only the target, so that it finds the same rows here.
bool reads_target(const SourceQuery &query, const Target &target) {
    if (!query.selects_plainly()) return false;
    const WrittenName &name = *query.only_relation();
    const std::string quoted =
        (name.schema.empty() ? "" : quote_identifier(name.schema) + ".") + quote_identifier(name.relation);
    const std::vector<TextRow> found = select_rows("SELECT pg_catalog.to_regclass($1)::pg_catalog.oid", {quoted});
    return found[0][0] == std::to_string(target.oid());
}

[[noreturn]] void raise_unclear(const Target &target, const std::string &why) {
    raise(sqlstate::feature_not_supported, "could not tell the window's rows in target " + target.name(),
          "Pass replace_where, the condition of these rows, such as created_at >= $1 AND created_at < $2; "
          "or pass window_column, and a query without the day.",
          why);
}

bool is_named_by_search_path(Oid type) {
    const Oid base = pg_call([=] {
        const Oid element = get_base_element_type(type);
        return getBaseType(OidIsValid(element) ? element : type);
    });
    switch (base) {
    case REGCLASSOID:
    case REGCOLLATIONOID:
    case REGCONFIGOID:
    case REGDICTIONARYOID:
    case REGOPEROID:
    case REGOPERATOROID:
    case REGPROCOID:
    case REGPROCEDUREOID:
    case REGTYPEOID:
        return true;
    default:
        return false;
    }
}

// Returns the rows that the query itself finds here. Its condition is evaluated with the privileges of the caller.
TargetSelection rows_of_query(const SourceQuery &query, const std::vector<ComparedColumn> &columns,
                              const Target &target, const TimeZone &zone) {
    TargetSelection rows = select_by_query(
        query.parameters().empty() ? query.text() : put_in_values(query.text(), query.parameters()), target);
    if (rows.names == NameSearch::session) return rows;
    if (const auto why = find_not_built_in(rows.sql, target, zone.name())) raise_unclear(target, *why);
    for (const ComparedColumn &column : columns)
        if (is_named_by_search_path(target.find_column(column.name)->type))
            raise_unclear(target, "The text of column \"" + column.name +
                                      "\" depends on search_path, under which the query's condition cannot run here.");
    return rows;
}

TargetSelection target_rows(const SourceQuery &query, const std::vector<ComparedColumn> &columns, const Target &target,
                            const std::string &slice, const WindowText *window, const TimeZone &zone) {
    if (!slice.empty()) return {"SELECT * FROM " + target.name() + " WHERE (" + slice + "\n)"};
    if (reads_target(query, target)) return rows_of_query(query, columns, target, zone);
    if (window == nullptr) return {"SELECT * FROM " + target.name()};
    raise_unclear(target,
                  "The query is not a plain selection from the target, so it cannot be executed on this server.");
}

} // namespace

Comparison make_comparison(SourceSession &source, const SourceQuery &query, const std::vector<SourceColumn> &columns,
                           const Target &target, const std::string &slice, const WindowText *window,
                           const std::vector<std::string> &key, const TimeZone &zone) {
    const ColumnMap map = carry_to_target(columns, target);
    std::vector<ComparedColumn> compared = compare_columns(map, columns, target);
    TargetSelection rows = target_rows(query, compared, target, slice, window, zone);
    return {source, query, std::move(compared), std::move(rows), target, key, zone};
}

LoadCheck::LoadCheck(Comparison comparison, std::string target_name)
    : comparison_(std::move(comparison)), source_(comparison_.source_checksum()), target_name_(std::move(target_name)) {
}

void LoadCheck::compare() {
    const Checksum target = comparison_.target_checksum();
    if (target == source_) return;
    raise(sqlstate::rows_do_not_match, "rows of the window in " + target_name_ + " are not those of the source",
          "Load without verify, and see copy_incremental_verify_rows(). Rows that were there before, and triggers that "
          "change rows, are differences.",
          "The source has " + source_.rows + " rows, the target " + target.rows +
              (target.rows == source_.rows ? " with another checksum." : "."));
}

} // namespace pgci
