// The table of the definitions of jobs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "request/copy_request.hpp"
#include "ledger/job.hpp"
#include "ledger/owner_statement.hpp"

namespace pgci {

// What a job is looked up for: to run it or to see what a run would do, which executes what its owner has written; or to
// replace or drop it, and to read or change what is recorded of it.
enum class JobUse : std::uint8_t { run, manage };

class Jobs {
  public:
    // `schema` is the extension's.
    explicit Jobs(Oid schema);

    // Finds a job that the current user may use, with the privileges of the role that owns it, or manage, also as the owner
    // of the extension or a superuser. Raises 42704 with similar names if no job has that name, 42501 for a job of another role.
    Job find(const std::string &name, JobUse use = JobUse::run) const;
    Job find(std::int64_t id) const;
    // The same, but returns nothing if no such job exists.
    std::optional<Job> find_if_exists(const std::string &name, JobUse use = JobUse::run) const;
    std::optional<Job> find_if_exists(std::int64_t id) const;

    // Finds the jobs that the current user owns, ordered by name.
    std::vector<Job> find_own() const;
    // Finds the jobs of a group, by name: those of the current user, or, if he has none, those of one other role that he is a member of.
    // Raises 42704 if there is none, and 22023 if several such roles have a group of this name.
    std::vector<Job> find_group(const std::string &group) const;
    // Finds the other jobs of the group and the owner of a job.
    std::vector<Job> find_others_of_group(const Job &job) const;

    // Finds the jobs that load into one of these relations, OIDs as texts, or have loaded into it: all jobs, or those that the
    // current user may manage.
    std::vector<Job> find_into(const std::vector<std::string> &tables, bool all) const;

    // Stores a definition. If it has an id, it replaces the definition of the job with this id. `options` has a value for each
    // option of a run. Raises 42710 if another job has the name.
    void store(const Job &job, const NamedValues &options) const;
    void drop(const Job &job) const;

    // Locks the job, so that nobody changes or drops it until the transaction ends. A run calls this before it locks its
    // window. Raises 55000 if the definition is no longer the one of the request, and 42704 if the job was dropped.
    void lock_unchanged(const CopyRequest &request) const;
    // Stores which columns the last run of the job has read.
    void remember_columns(std::int64_t job_id, const std::vector<KnownColumn> &columns) const;
    // Stores the relation as the target of the job. Raises 55000 if the job has another target by now.
    void bind_target(std::int64_t job_id, Oid target) const;

    // Returns the request of a run of the job, without its window; with target_name if the target does not exist yet. Raises 42P01
    // if it was dropped, and what source_of raises.
    CopyRequest request_of(const Job &job) const;

    // Returns the name of the foreign server, or the connection string. Raises 42704 if the server does not exist.
    std::string source_of(const Job &job) const;

  private:
    std::vector<Job> find_all(const std::string &condition, const std::vector<Parameter> &parameters) const;
    std::vector<Job> find_in_group(const std::string &group) const;
    std::optional<Job> find_where(const std::string &condition, const Parameter &parameter, JobUse use) const;
    [[noreturn]] void raise_unknown(const std::string &name) const;

    Oid schema_;
    OwnTable table_;
};

} // namespace pgci
