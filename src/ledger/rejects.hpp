// Rows that were put aside, in the table copy_incremental_rejects, and which errors may put them there.
#pragma once

#include "server/run_failure.hpp"
#include "ledger/ledger.hpp"

namespace pgci {

class Rejects {
  public:
    // `batch` is that of the run, which moves on. Without a limit any number of rows may be rejected.
    Rejects(const Ledger &ledger, std::int64_t run_id, std::optional<std::int64_t> limit, const std::int64_t &batch)
        : ledger_(ledger), run_id_(run_id), limit_(limit), batch_(batch) {}

    // Puts a row, a JSON object of texts, aside. Raises 54000 when these are more than the limit. Not to be called in a
    // subtransaction that may be rolled back, because it writes the rows of before when they are many.
    void add(RunFailure failure, std::string row);
    // Writes the rows that were put aside since the last call. To be called at the end of each batch.
    void write();

    std::int64_t count() const { return count_; }

  private:
    const Ledger &ledger_;
    std::int64_t run_id_;
    std::optional<std::int64_t> limit_;
    const std::int64_t &batch_;
    std::int64_t count_ = 0;
    std::vector<Reject> not_written_{};
    std::size_t bytes_ = 0; // of them
};

// A row of a batch as a JSON object of texts; PostgreSQL code.
char *row_to_json(TupleDesc description, const Datum *values, const bool *nulls);

// Is an error a row's own, so that the row can be put aside and the others go on? By the class of a packed SQLSTATE:
// conversions and values (22), constraints (23), views' and slices' checks (44), what triggers and functions raise (09,
// 21, 27, 38, 39, P0 and classes that PostgreSQL does not use). Never a lost connection, a want of memory or disk, a
// cancel, a lock, a serialization failure, a missing privilege or object.
bool is_row_error(int code);

} // namespace pgci
