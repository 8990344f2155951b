// The source's plan of a query, without executing the query.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "connection/question.hpp"
#include "source/source_session.hpp"

namespace pgci {

struct SourcePlan {
    std::string text;                   // as EXPLAIN prints it
    std::string json;                   // with VERBOSE
    std::optional<std::int64_t> rows{}; // the planner's estimate; nothing if the answer is not understood
};

// Plans a query, or the DECLARE of a cursor, at the source. Raises 42501 if the user may not read the tables.
SourcePlan plan_at_source(SourceSession &source, const RemoteConnection::Statement &query);

// Raises 42501 if the user of the source may not read what the query reads. To describe a query takes no privilege.
void check_may_read(SourceSession &source, const SourceQuery &query);

// Asks for the planner's estimate of the number of rows. The statements sent before it must have been answered.
class RowEstimate {
  public:
    RowEstimate(SourceSession &source, const RemoteConnection::Statement &query);
    // Waits for the answer. Returns 0 if it is not understood.
    std::int64_t receive();

  private:
    SourceSession &source_;
    Question question_;
};

// Returns warnings about a plan that reads a whole large table to find a small part of it.
std::vector<std::string> find_window_warnings(SourceSession &source, const SourcePlan &plan);

} // namespace pgci
