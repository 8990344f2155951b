// The definitions of jobs: what is loaded every day, under a name.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "template/window_grid.hpp"
#include "request/copy_request.hpp"
#include "ledger/owner_statement.hpp"

namespace pgci {

// A definition as it is stored.
struct Job {
    std::int64_t id = 0;
    std::string name;
    Oid owner = InvalidOid;  // invalid if the role was dropped
    Oid server = InvalidOid; // of a connection string: invalid
    std::string source;      // what runs called it when the job was defined; no secret
    Oid target = InvalidOid; // of a table that did not exist yet, or was not restored: invalid
    int version = 1;         // which or_replace has written
    std::string target_name; // when the job was defined
    CopyRequest request{};   // of every run, but for the window, the source and the target
    DateADT first_day = 0;
    Interval window_size{};
    Interval lag{};

    TimeZone zone() const { return TimeZone::resolve(request.time_zone->c_str()); }
    WindowGrid grid() const { return {first_day, window_size, zone()}; }
};

class Jobs {
  public:
    // `schema` is the extension's.
    explicit Jobs(Oid schema);

    // A job that the current user may use, as a member of the role that owns it. Raises 42704 where there is none of that
    // name, with the nearest names, and 42501 for a job of another role.
    Job find(const std::string &name) const;
    Job find(std::int64_t id) const;
    // The same; nothing where there is no such job.
    std::optional<Job> find_if_exists(const std::string &name) const;

    // Those of the roles of which the current user is a member, in the order of their names. To a superuser the jobs of other
    // roles do not count.
    std::vector<Job> find_own() const;
    // The jobs that load into a relation, or have: all, or those that the current user may use.
    std::vector<Job> find_into(Oid target, bool all) const;

    // Stores a definition; those of an id are written over the job that has it. `options` has a value of each option that a
    // run has. Raises 42710 where another job has the name.
    void store(const Job &job, const NamedValues &options) const;
    void drop(const Job &job) const;

    // To be called by a run before it takes its place: from now until the transaction ends nobody changes or drops the job.
    // Raises 55000 if the definition is not the one of the request any more, 42704 if it was dropped.
    void lock_unchanged(const CopyRequest &request) const;
    // The relation is the job's target from now on. Raises 55000 if it has another by now.
    void bind_target(std::int64_t job_id, Oid target) const;

    // What a run of the job is asked to do, but for its window. Raises 42P01 where its target does not exist, and what
    // source_of raises.
    CopyRequest request_of(const Job &job) const;

    // The name of the foreign server, or the connection string. Raises 42704 where the server does not exist.
    std::string source_of(const Job &job) const;

  private:
    std::vector<Job> find_all(const std::string &condition, const std::vector<Parameter> &parameters) const;
    std::optional<Job> find_where(const std::string &condition, const Parameter &parameter) const;
    [[noreturn]] void raise_unknown(const std::string &name) const;

    Oid schema_;
    OwnTable table_;
};

} // namespace pgci
