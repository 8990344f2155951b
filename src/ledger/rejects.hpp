// Rejected rows: writes them to the table copy_incremental_rejects, and decides which errors reject a row.
#pragma once

#include <functional>

#include "server/run_failure.hpp"
#include "ledger/ledger.hpp"

namespace pgci {

class Rejects {
  public:
    // `batch` is the number of the current batch, which the run increases. Without a limit, any number of rows may be rejected.
    // `before_first` is called once, before the first rejected rows are written.
    Rejects(const Ledger &ledger, std::int64_t run_id, std::optional<std::int64_t> limit, const std::int64_t &batch,
            std::function<void()> before_first)
        : ledger_(ledger), run_id_(run_id), limit_(limit), batch_(batch), before_first_(std::move(before_first)) {}

    // Rejects a row, which is a JSON object of texts. Raises 54000 if there are more rejected rows than the limit. Do not
    // call it in a subtransaction that may be rolled back, because it writes earlier rows when they need too much memory.
    // `is_whole`: the JSON object has all values of the row.
    void add(RunFailure failure, std::string row, bool is_whole);
    // Writes the rows that were rejected since the last call. Call it at the end of each batch.
    void write();

    std::int64_t count() const { return count_; }

  private:
    const Ledger &ledger_;
    std::int64_t run_id_;
    std::optional<std::int64_t> limit_;
    const std::int64_t &batch_;
    std::function<void()> before_first_;
    std::int64_t count_ = 0;
    std::vector<Reject> not_written_{};
    std::size_t bytes_ = 0; // of the rows that are not written
};

// Returns a row of a batch as a JSON object of texts, which the input functions of the types read in any session. PostgreSQL code:
// for use inside pg_call.
char *row_to_json(TupleDesc description, const Datum *values, const bool *nulls);

// Whether a single row causes an error, so that the row can be rejected and the others can be loaded. The class of the packed
// SQLSTATE decides: conversions and values (22), constraints (23), checks of views and slices (44), and errors of triggers and
// functions (09, 21, 27, 38, 39, P0 and classes that PostgreSQL does not use). Never a lost connection, a lack of memory or
// disk space, a cancel, a lock, a serialization failure, a missing privilege or object.
bool is_row_error(int code);

} // namespace pgci
