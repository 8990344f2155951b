// What copy_incremental_explain() says about the source: the statement, its plan, and how the rows of the window are found.
#pragma once

#include <string>

#include "connection/remote_connection.hpp"
#include "look/explanation.hpp"
#include "run/prepared_run.hpp"

namespace pgci {

// How the run asks the source for the rows.
struct SourceStatement {
    std::string sent;
    RemoteConnection::Statement planned;
};

void explain_source(Explanation &explanation, PreparedRun &run, const SourceStatement &statement);

} // namespace pgci
