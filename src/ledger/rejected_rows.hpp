// The rejected rows of a run that has ended, and what is needed to load them later.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "request/copy_request.hpp"
#include "source/source_session.hpp"
#include "ledger/jobs.hpp"
#include "ledger/ledger.hpp"

namespace pgci {

// What a run did with the rows of the source, apart from its window.
struct WaysOfRows {
    RequestOptions options{}; // the target is not stored
    std::vector<SourceColumn> columns{};
    std::string slice{}; // the condition of the rows that it may write; empty for none
    std::string zone{};  // in which texts were written
};

struct RejectingRun {
    RunKey key{};
    Oid owner = InvalidOid; // of the run; invalid if the role was dropped
    std::string status{};
    bool is_settled = false;  // as far as it is known, no more rows of the window could be committed
    std::int64_t rejects = 0; // that are not loaded yet
    WaysOfRows ways{};
};

struct RejectedRow {
    std::int64_t number = 0;
    std::vector<std::optional<std::string>> values{}; // as texts; nothing for NULL
};

struct RejectedAgain {
    std::int64_t number = 0;
    RunFailure failure{};
};

class RejectedRows {
  public:
    // `schema` is the extension's.
    RejectedRows(Oid schema, std::int64_t run_id);

    // Call it once in the run that rejects rows.
    void store(const WaysOfRows &ways) const;

    // Returns what the newest snapshot has. Raises 42704 for a run that does not exist.
    RejectingRun find() const;
    // Returns the next rows after this number that are not loaded, with the values of these columns, in order; nothing at the end.
    // They are at most `most` rows, of about max_bytes. Leaves out rows whose values were not all stored.
    std::vector<RejectedRow> next(std::int64_t after, const std::vector<std::string> &columns, int most,
                                  std::int64_t max_bytes) const;
    // Marks rows as loaded by a run.
    void mark_loaded(const std::vector<std::int64_t> &numbers, std::int64_t by) const;
    // Stores the newest errors.
    void mark_failed(const std::vector<RejectedAgain> &rows) const;
    // Writes to the run how many rows are not loaded, and returns the number.
    std::int64_t count_again() const;

  private:
    std::vector<SourceColumn> find_columns() const;

    std::int64_t run_id_;
    OwnTable runs_;
    OwnTable rejects_;
};

// The windows of a job of which all rows are loaded but those that were rejected, ordered and disjoint.
std::vector<Span> find_windows_with_rejects(Oid schema, const Job &job);

// The windows that catch_up and backfill do not load: those that are covered, and those with rejects, which would fail in the same
// way again.
std::vector<Span> find_tried_windows(Oid schema, const Job &job);

// Returns a sentence for the user if the job has windows with rejects that overlap `span`, else nothing.
std::string describe_windows_with_rejects(Oid schema, const Job &job, Span span);

} // namespace pgci
