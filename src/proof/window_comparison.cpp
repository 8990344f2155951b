#include "proof/window_comparison.hpp"

#include "server/guard.hpp"
#include "server/sql_text.hpp"
#include "server/text_rows.hpp"
#include "template/slice.hpp"

namespace pgci {

namespace {

// Does the query read nothing but the target, so that it finds the same rows here?
bool reads_target(const SourceQuery &query, const Target &target) {
    if (!query.selects_plainly()) return false;
    const WrittenName &name = *query.only_relation();
    const std::string quoted =
        (name.schema.empty() ? "" : quote_identifier(name.schema) + ".") + quote_identifier(name.relation);
    const std::vector<TextRow> found = select_rows("SELECT pg_catalog.to_regclass($1)::pg_catalog.oid", {quoted});
    return found[0][0] == std::to_string(target.oid());
}

std::string target_rows(const SourceQuery &query, const Target &target, const std::string &slice,
                        const WindowText *window) {
    if (!slice.empty()) return "SELECT * FROM " + target.name() + " WHERE (" + slice + "\n)";
    if (reads_target(query, target))
        return query.parameters().empty() ? query.text() : put_in_window(query.text(), *window);
    if (window == nullptr) return "SELECT * FROM " + target.name();
    raise(sqlstate::feature_not_supported, "could not tell the window's rows in target " + target.name(),
          "Pass replace_where, the condition of these rows, such as created_at >= $1 AND created_at < $2.",
          "The query is not a plain selection from the target, so that it cannot find them here.");
}

} // namespace

Comparison make_comparison(SourceSession &source, const SourceQuery &query, const std::vector<SourceColumn> &columns,
                           const Target &target, const std::string &slice, const WindowText *window,
                           const std::vector<std::string> &key, const TimeZone &zone) {
    const ColumnMap map = carry_to_target(columns, target);
    return Comparison(source, query, compare_columns(map, columns, target), target_rows(query, target, slice, window),
                      target, key, zone);
}

LoadCheck::LoadCheck(SourceSession &source, const SourceQuery &query, const std::vector<SourceColumn> &columns,
                     const Target &target, const std::string &slice, const WindowText *window, const TimeZone &zone)
    : comparison_(make_comparison(source, query, columns, target, slice, window, {}, zone)),
      source_(comparison_.source_checksum()), target_name_(target.name()) {}

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
