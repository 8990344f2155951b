#include "template/marked_text.hpp"

#include "server/guard.hpp"
#include "template/placeholders.hpp"
#include "template/template_scanner.hpp"

namespace pgci {

namespace {

void collect_selects(SelectStmt *select, List *&selects) {
    check_stack_depth();
    if (select->op != SETOP_UNION || select->withClause != nullptr) {
        selects = lappend(selects, select);
        return;
    }
    collect_selects(select->larg, selects);
    collect_selects(select->rarg, selects);
}

} // namespace

const char *name_of(BoundedText kind) { return kind == BoundedText::query ? "query template" : "replace_where"; }

MarkedText mark_window(const std::string &text, BoundedText kind) {
    const TemplateTokens tokens = scan_template(text, name_of(kind), "SELECT");
    if (!tokens.parameters.empty())
        return {.sql = text, .uses = static_cast<int>(tokens.parameters.size()), .has_parameters = true};
    const WindowText marks{.day = "\1d\2", .next_day = "\1n\2", .start = "\1s\2", .end = "\1e\2"};
    FormattedTemplate formatted = format_placeholders(text, &marks, name_of(kind));
    return {.sql = std::move(formatted.text), .uses = formatted.placeholders};
}

void check_quotes(const std::string &text, BoundedText kind) {
    if (!has_token(mark_window(text, kind).sql, '\1')) return;
    raise(sqlstate::invalid_parameter, std::string(name_of(kind)) + " has a placeholder outside of quotes",
          "Write '{}' or date '{}'.", "Without quotes, a date such as 2018-07-29 is a difference of numbers.");
}

ScannedText scan_text(const char *sql, BoundedText kind, int uses) {
    ScannedText scanned;
    const auto add = [&](const BoundScan &scan) {
        auto *const copy = static_cast<BoundScan *>(palloc0(sizeof(BoundScan)));
        *copy = scan;
        scanned.scans = lappend(scanned.scans, copy);
        uses -= scan.uses;
    };
    if (kind == BoundedText::condition) {
        BoundScan scan;
        scan_condition(expression_of(parse_expression(sql)), scan);
        add(scan);
    } else {
        const List *const statements = parse_statements(sql);
        auto *const statement = static_cast<const RawStmt *>(linitial(statements))->stmt;
        if (IsA(statement, SelectStmt)) collect_selects(reinterpret_cast<SelectStmt *>(statement), scanned.selects);
        for (int i = 0; i < list_length(scanned.selects); ++i) {
            BoundScan scan;
            scan_query(static_cast<const SelectStmt *>(list_nth(scanned.selects, i)), scan);
            add(scan);
        }
    }
    // The window can also be used where the scan does not look, such as in the name of a table.
    scanned.is_whole = uses == 0;
    return scanned;
}

} // namespace pgci
