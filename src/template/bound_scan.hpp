// Finds the comparisons with the window in a parse tree. Call inside pg_call: the results are in the current memory
// context.
#pragma once

#include "template/parse_tree.hpp"

namespace pgci {

// What a compared value is. A date plus one day is the end of the window if the window is a day.
enum class WindowPoint : char { start, day_after_start, end, computed };

// Which rows a comparison keeps.
enum class KeptRows : char { equal, after, before };

struct BoundComparison {
    Node *column; // the side without the window
    Node *value;  // the side with it
    KeptRows kept;
    bool keeps_equal;
    WindowPoint point;
    bool is_in_subquery;
    bool is_nested; // not one of the conditions that every row of the result fulfills
};

// The text has marks where the author has placeholders: \1, the first letter of its name, \2.
struct BoundScan {
    List *comparisons = NIL; // BoundComparison *
    int uses = 0;            // of the window, in the comparisons and labels
    bool has_label = false;  // an output of the query is the window itself
    bool has_other_use = false;
};

void scan_query(const SelectStmt *select, BoundScan &scan);
void scan_condition(Node *condition, BoundScan &scan);

// Returns the number of parameters and marks in an expression.
int count_uses(Node *node);
// Removes casts, and functions that return the day of a moment or the moment in another form.
Node *inside_casts(Node *node);
// Returns whether two expressions are the same column, also if one of them has no relation.
bool is_same_column(Node *a, Node *b);
// Returns the name of a column without its relation; null for another expression.
const char *column_name(Node *node);
// Returns the last name of a possibly qualified one; null if it is no name.
const char *last_name(const List *names);

template <class T> T *as(Node *node) { return reinterpret_cast<T *>(node); }

} // namespace pgci
