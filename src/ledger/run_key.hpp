// What makes two runs the same, and what holds their order.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/process_lock.hpp"
#include "connection/connection_options.hpp"
#include "template/window_grid.hpp"

namespace pgci {

// What makes two runs the same.
struct RunKey {
    Oid target = InvalidOid;
    std::string source;     // the foreign server's name, or host:port/dbname
    std::string query_hash; // of the template
    std::optional<Window> window;
    std::string column_time_zone{}; // of the local times in window_column; empty if it holds none
    std::int64_t job_id = 0;        // 0: a call. Runs of one job are the same by their windows alone.
    // The windows of the job of which the run loads a part, by their starts, latest first. Runs that have one of them in
    // common overlap, or may.
    std::vector<TimestampTz> places{};

    // Sets the window of a run of a job.
    void set_window(const Window &own, const WindowGrid &grid);
};

// What the ledger calls a source: its identity, or where that may hold a piece of a password, "connection string" and the
// first 16 hexadecimal digits of its SHA-256, by which sources differ.
std::string identify_source(const ConnectionOptions &options);

// The SHA-256 of a template's tokens and of the option window_column, 64 hexadecimal digits.
std::string hash_query(const std::string &query_template, const std::optional<std::string> &window_column);

// While it lives, and no longer than this process, the run's entry "running" is true.
class RunLife {
  public:
    explicit RunLife(std::int64_t run_id);

  private:
    ProcessLock lock_;
};

// A lock on the definition of a job until the transaction ends: its runs share it, who changes or drops it has it alone.
enum class JobLock { shared, exclusive };
void lock_job(std::int64_t job_id, JobLock lock);

// A place in the order of runs with one key, or with overlapping windows of one job: at most one at a time, until the
// transaction ends, or as long as the object lives when it spans transactions.
class RunLock {
  public:
    RunLock(const RunKey &key, bool spans_transactions);
    ~RunLock();
    // Takes the place until the transaction ends, unless another session has it; does not wait. False if it has.
    static bool try_take(const RunKey &key);
    RunLock(const RunLock &) = delete;
    RunLock &operator=(const RunLock &) = delete;

    // Was another run of the key under way, so that this one had to wait for its end?
    bool had_to_wait() const { return had_to_wait_; }

  private:
    std::vector<LOCKTAG> tags_;
    bool spans_transactions_;
    bool had_to_wait_ = false;
};

} // namespace pgci
