// What a run loads: from where, by which query, into what, of which window.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "connection/connection_options.hpp"
#include "template/window_grid.hpp"
#include "request/copy_request.hpp"
#include "ledger/window_columns.hpp"

namespace pgci {

// Two sources are the same if they are the same foreign server, or have the same place.
struct SourceIdentity {
    std::string name{};      // the foreign server's, or host:port/dbname, or a digest; never a secret
    Oid server = InvalidOid; // invalid for a connection string
    std::string place{};     // SHA-256 of host, port, database, user and options; empty: not known
};

SourceIdentity identify_source(const ConnectionOptions &options);
bool is_same_source(const SourceIdentity &a, const SourceIdentity &b);

struct RunKey {
    Oid target = InvalidOid;
    SourceIdentity source{};
    std::string query_hash{};                 // of the template
    std::string transform_hash{};             // empty without a transform
    std::vector<std::string> source_tables{}; // that the query names, as schema.relation; none: not known
    std::optional<Window> window{};           // nothing: a whole result, which overlaps every window
    std::string column_time_zone{};           // of the local times in window_column; empty if it has none
    std::int64_t job_id = 0;                  // 0: a call
    std::string snapshot{};                   // of the source, that several runs read; empty if only this one does
};

// Returns the window of a key as an argument of a statement: NULL for a whole result, and for a window of the other kind.
Parameter window_parameter(const RunKey &key, WindowKind kind);

// Return SHA-256s as 64 hexadecimal digits: of the template's tokens and the option window_column; of the transform's tokens,
// empty without one.
std::string hash_query(const CopyRequest &request);
std::string hash_transform(const CopyRequest &request);

} // namespace pgci
