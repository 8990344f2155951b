// Errors about SQL that a user wrote: they point into it, and stay short.
#pragma once

#include "server/guard.hpp"

namespace pgci {

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
