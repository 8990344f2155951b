// Errors of the source, made our own: SQLSTATE, message, detail, hint and context survive, unless they lie.
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

// What an error result of the source becomes here. `query` is the text that was sent, and `query_offset` how many of
// its leading characters the user did not write; `query` may be empty. `retry_hint` is for an error that may pass.
ErrorReport remote_error_report(const PGresult *result, const std::string &source, const std::string &retry_hint,
                                const std::string &query, int query_offset);

// Is it libpq that made this error, of bytes that it does not understand?
bool is_of_libpq(const PGresult *result);

// Is this libpq's message that it got no memory?
bool is_out_of_memory(std::string_view message);

// The error for a connection that broke: 08006, or 53200 where it was for want of memory.
ErrorReport connection_lost_report(const PGconn *connection, const std::string &source, const std::string &retry_hint);

} // namespace pgci
