// Inserts the rows of an INSERT into a table and its partitions, many at once.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// Does what ExecInsert() of the server does for an INSERT without ON CONFLICT, with table_multi_insert() instead of
// table_tuple_insert(). Rows are stored in groups by partition; everything that a user can see, such as index entries
// and triggers, follows in the order of the rows. Plain data in PostgreSQL's memory. All functions are PostgreSQL code.
class MultiInsert {
  public:
    // Returns whether the target of the INSERT allows this: not with BEFORE ROW triggers, INSTEAD OF triggers,
    // conditions of views and row-level security, foreign tables, and transition tables of partitioned tables.
    static bool is_possible(const ModifyTableState *insert);

    // Allocates in the memory of the query.
    void begin(ModifyTableState *insert);
    // Adds a row that the plan has returned, and stores all waiting rows if there are enough.
    void add(TupleTableSlot *row);
    // Stores the waiting rows.
    void flush();
    // Call it after the last flush().
    void end();

    // The number of rows that the last add() or flush() has stored. They are valid until the next add().
    int stored() const noexcept { return stored_; }
    // Computes RETURNING for one of them.
    TupleTableSlot *returning(int number) const;

  private:
    // A table, or a partition.
    struct Destination {
        ResultRelInfo *relation;
        TupleDesc description;
        bool is_alone; // rows are stored one by one, because something runs before each
        int count;     // of waiting rows
        int room;      // number of slots
        TupleTableSlot **slots;
    };
    struct Row {
        Destination *destination;
        TupleTableSlot *slot;
    };

    static bool is_alone(const ResultRelInfo *relation);
    Destination *destination_of(ResultRelInfo *relation);
    Destination *route(TupleTableSlot *&row);
    static TupleTableSlot *next_slot(Destination *destination);
    void add_alone(Destination *destination, TupleTableSlot *row, TupleTableSlot *plan_row);
    void check(Destination *destination, TupleTableSlot *row);
    void send(Destination *destination);
    void store(Destination *destination);
    void finish(const Row &row);

    static constexpr int most_rows = 1000; // waiting
    static constexpr Size most_bytes = 65536;

    ModifyTableState *insert_;
    EState *state_;
    BulkInsertState bulk_;
    const Destination *stored_last_; // to which bulk_ belongs
    List *destinations_;
    Row *rows_; // stored rows, then waiting ones
    int count_;
    int stored_;
    Size bytes_; // of waiting rows
};

} // namespace pgci
