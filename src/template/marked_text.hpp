// A template or replace_where whose placeholders are marks, and the comparisons with the window in its parse tree.
#pragma once

#include <string>

#include "server/subtransaction.hpp"
#include "template/bound_scan.hpp"

namespace pgci {

enum class BoundedText { query, condition };

// The name of such a text in messages.
const char *name_of(BoundedText kind);

struct MarkedText {
    std::string sql;
    int uses = 0; // of the window
    bool has_parameters = false;
};

MarkedText mark_window(const std::string &text, BoundedText kind);

// Raises 22023 for a placeholder that is in no string, quoted name or comment, where 2018-07-29 is a difference of numbers.
void check_quotes(const std::string &text, BoundedText kind);

// Plain data.
struct ScannedText {
    List *selects = NIL;   // const SelectStmt *: each SELECT of a UNION returns rows of its own; none for a condition
    List *scans = NIL;     // const BoundScan *: of each of these, or of the condition
    bool is_whole = false; // the scans have found all uses of the window
};

// Parses the text. Call it inside pg_call.
ScannedText scan_text(const char *sql, BoundedText kind, int uses);

// Executes a body that parses such a text. Returns whether this server can read it: its syntax may be that of a newer
// source, a placeholder may be outside of quotes, or an expression nested too deeply.
template <class Body> bool can_be_read(Body &&body) {
    return !in_subtransaction(body, [](int code) {
        const int category = ERRCODE_TO_CATEGORY(code);
        return category == ERRCODE_TO_CATEGORY(ERRCODE_SYNTAX_ERROR) ||
               category == ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION) || code == ERRCODE_STATEMENT_TOO_COMPLEX;
    });
}

} // namespace pgci
