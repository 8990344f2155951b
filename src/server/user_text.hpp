// SQL that a user wrote, on its way through the server's scanner and parser.
#pragma once

#include "server/guard.hpp"

namespace pgci {

// From now on the scanner reads strings as in the session at the source, whatever the settings of this session are, and
// writes no notices, which would repeat names of any length. The level that is returned ends by AtEOXact_GUC() or an
// error. PostgreSQL code: for use inside pg_call.
int begin_reading();

// Makes an error about a text point into it, and not into the statement that the client sent: `before` characters stand
// before the text in what was parsed. The server's messages repeat as much as they like of the text, so they are
// shortened.
void point_into(ErrorData *error, const std::string &text, int before = 0);

// Runs a body whose errors are about the text.
template <class Body> auto with_errors_in(const std::string &text, Body &&body) -> std::invoke_result_t<Body> {
    try {
        return body();
    } catch (const PgError &error) {
        point_into(error.data(), text);
        throw;
    }
}

} // namespace pgci
