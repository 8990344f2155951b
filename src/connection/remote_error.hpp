// Converts errors of the source to errors of this server. SQLSTATE, message, detail, hint and context are kept, except
// for misleading SQLSTATEs.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>
#include <string_view>

#include "server/error.hpp"

namespace pgci {

struct ResultDeleter {
    void operator()(PGresult *result) const noexcept { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, ResultDeleter>;

// Converts an error result of the source. `query` is the text that was sent, or empty; `query_offset` is the number of
// its leading characters that the user did not write. `retry_hint` is used for errors that can be temporary.
ErrorReport remote_error_report(const PGresult *result, const std::string &source, const std::string &retry_hint,
                                const std::string &query, int query_offset);

// Returns whether libpq generated this error because it did not understand the data.
bool is_of_libpq(const PGresult *result);

// Returns whether this is libpq's out-of-memory message.
bool is_out_of_memory(std::string_view message);

// Returns the error for a lost connection: 08006, or 53200 if libpq ran out of memory.
ErrorReport connection_lost_report(const PGconn *connection, const std::string &source, const std::string &retry_hint);

} // namespace pgci
