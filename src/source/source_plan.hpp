// The source's plan of a query, without running it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "source/source_session.hpp"

namespace pgci {

struct SourcePlan {
    std::string text;                   // as EXPLAIN prints it
    std::string json;                   // the same with VERBOSE
    std::optional<std::int64_t> rows{}; // the planner's estimate; nothing where its answer is not understood
};

// Has the source plan a query, or the DECLARE of a cursor. Raises 42501 where its user may not read.
SourcePlan plan_at_source(SourceSession &source, const RemoteConnection::Statement &query);

// The planner's estimate of the rows, in one round trip; 0 where its answer is not understood.
std::int64_t estimate_rows(SourceSession &source, const RemoteConnection::Statement &query);

// What is slow about a plan that looks for a small part of a large table by reading all of it.
std::vector<std::string> find_window_warnings(SourceSession &source, const SourcePlan &plan);

} // namespace pgci
