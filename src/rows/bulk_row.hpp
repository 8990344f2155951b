// From a row of the batch to a row of the target, by the very expressions that the INSERT of method cursor has.
#pragma once

#include "server/named_relation.hpp"

namespace pgci {

// Casts, defaults, domain checks and identity columns come from PostgreSQL's own analysis of the INSERT. All of it is
// PostgreSQL code, for use inside pg_call.
class BulkRow {
  public:
    // Analyzes `insert`, which reads its rows from columns of `batch`, in this order, and writes them to `target`, which is `used`
    // by it. Raises what the analyzer refuses: 42804 where there is no assignment cast, 428C9, and 42P01 where it no longer
    // names the target. What it needs lives in `memory`.
    void prepare(const char *insert, const UsedRelation &used, Relation target, TupleDesc batch, MemoryContext memory);

    // The range table of an executor state that writes to the target alone, as the INSERT does. Raises 42501 without
    // the right to insert into its columns or to run it.
    void init_range_table(EState *state) const;
    // Makes the expressions ready to run.
    void init_expressions(EState *state);

    // Fills the slot of the target; values are allocated in the current memory context.
    void fill(Datum *values, bool *nulls, TupleTableSlot *row, ExprContext *context);

    // A function that may look at the target must find all rows before its own there.
    bool is_volatile() const { return is_volatile_; }

  private:
    struct Column {
        int source;       // the column of the batch, or -1
        Expr *expression; // where it is not that column as it is; null: a NULL
        ExprState *state;
    };

    Query *query_ = nullptr;
    int count_ = 0;
    Column *columns_ = nullptr;
    TupleTableSlot *batch_ = nullptr; // what the expressions read
    bool is_volatile_ = false;
    bool has_expressions_ = false;
};

} // namespace pgci
