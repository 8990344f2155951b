// The source's plan of a query, without executing the query.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "source/source_session.hpp"

namespace pgci {

struct SourcePlan {
    std::string text;                   // as EXPLAIN prints it
    std::string json;                   // with VERBOSE
    std::optional<std::int64_t> rows{}; // the planner's estimate; nothing if the answer is not understood
};

// Plans a query, or the DECLARE of a cursor, at the source. Raises 42501 if the user may not read the tables.
SourcePlan plan_at_source(SourceSession &source, const RemoteConnection::Statement &query);

// Returns the planner's estimate of the number of rows, in one round trip; 0 if the answer is not understood.
std::int64_t estimate_rows(SourceSession &source, const RemoteConnection::Statement &query);

// Returns warnings about a plan that reads a whole large table to find a small part of it.
std::vector<std::string> find_window_warnings(SourceSession &source, const SourcePlan &plan);

} // namespace pgci
