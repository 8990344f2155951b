// Converts a row of the batch to a row of the target with the expressions of the INSERT of method cursor.
#pragma once

#include "server/named_relation.hpp"

namespace pgci {

// PostgreSQL's analysis of the INSERT provides casts, defaults, domain checks and identity columns. PostgreSQL code,
// for use inside pg_call.
class BulkRow {
  public:
    // Analyzes `insert`, which reads the columns of `batch` in this order and writes them to `target`; `used` describes
    // this use. Raises the errors of the analyzer: 42804 if there is no assignment cast, 428C9, and 42P01 if the
    // statement no longer refers to the target. Allocates in `memory`.
    void prepare(const char *insert, const UsedRelation &used, Relation target, TupleDesc batch, MemoryContext memory);

    // Sets the range table of an executor state that writes only to the target. Raises 42501 without the privileges
    // that the INSERT needs.
    void init_range_table(EState *state) const;
    // Initializes the expressions.
    void init_expressions(EState *state);

    // Fills the slot of the target. Values are allocated in the current memory context.
    void fill(Datum *values, bool *nulls, TupleTableSlot *row, ExprContext *context);

    // A volatile function may read the target and must see all earlier rows in it.
    bool is_volatile() const { return is_volatile_; }

  private:
    struct Column {
        int source;       // column of the batch, or -1
        Expr *expression; // null if the column is used unchanged, or for NULL
        ExprState *state;
    };

    Query *query_ = nullptr;
    int count_ = 0;
    Column *columns_ = nullptr;
    TupleTableSlot *batch_ = nullptr; // the input of the expressions
    bool is_volatile_ = false;
    bool has_expressions_ = false;
};

} // namespace pgci
