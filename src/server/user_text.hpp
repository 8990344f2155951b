// Errors about SQL text that a user wrote: they point into this text and are short.
#pragma once

#include "server/guard.hpp"

namespace pgci {

// Changes an error so that its position refers to `text` instead of the client's statement. `before` is the number of
// characters that were parsed before the text. Also shortens the message, because the server's messages can repeat any
// amount of the text.
void point_into(ErrorData *error, const std::string &text, int before = 0);

// Executes a body whose errors are about the text.
template <class Body> auto with_errors_in(const std::string &text, Body &&body) -> std::invoke_result_t<Body> {
    try {
        return body();
    } catch (const PgError &error) {
        point_into(error.data(), text);
        throw;
    }
}

} // namespace pgci
