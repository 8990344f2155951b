// The definition of a job. A job has a name and defines what its runs load.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "template/window_grid.hpp"
#include "request/copy_request.hpp"
#include "ledger/run_key.hpp"

namespace pgci {

// A definition as it is stored.
struct Job {
    std::int64_t id = 0;
    std::string name;
    Oid owner = InvalidOid;  // invalid if the role was dropped
    Oid server = InvalidOid; // invalid for a connection string
    std::string source;      // its name in the ledger when the job was defined; has no secret
    Oid target = InvalidOid; // invalid if the table did not exist yet or was not restored
    int version = 1;         // or_replace increases it
    std::string target_name; // its name when the job was defined
    CopyRequest request{};   // of every run, without the window, the source and the target
    DateADT first_day = 0;
    std::optional<Interval> window_size{}; // of windows of time
    std::optional<std::int64_t>
        window_size_rows{};                 // of windows of ids; neither: a run loads the whole result of the query
    std::optional<std::int64_t> first_id{}; // nothing: the lowest one
    Interval lag{};

    TimeZone zone() const { return TimeZone::resolve(request.time_zone->c_str()); }
    bool has_windows() const { return window_size || window_size_rows; }
    WindowKind kind() const { return window_size_rows ? WindowKind::ids : WindowKind::time; }
    Window window(Span span) const { return Window::of(kind(), span, zone()); }
    // Raises 22023 for a job without windows.
    WindowGrid grid() const;
};

// Raises 22023 for a negative lag.
void check_lag(const Interval &lag);
// Raises 22023 if two jobs of a group read different sources.
void check_same_source(const Job &job, const SourceIdentity &source, const Job &other,
                       const SourceIdentity &its_source);

// Reads a definition from a row of the table of jobs, with its options.
Job read_job(const NamedValues &row);
// The columns that a job remembers, as the table has them: their names, and their types, each as type/modifier, because a record
// would need a type of its own.
std::vector<std::string> names_of(const std::vector<KnownColumn> &columns);
std::vector<std::string> types_of(const std::vector<KnownColumn> &columns);

} // namespace pgci
