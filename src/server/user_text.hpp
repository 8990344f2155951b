// What errors show of SQL text. Those about text that a user wrote point into it and are short; statements of this extension
// are not shown.
#pragma once

#include "server/guard.hpp"

namespace pgci {

// Changes an error so that its position refers to `text` instead of the client's statement. `before` is the number of
// characters that were parsed before the text. Also shortens the message, because the server's messages can repeat any
// amount of the text.
void point_into(ErrorData *error, const std::string &text, int before = 0);

// Removes the line for a statement of this extension from the CONTEXT of an error, and a position in it. SPI adds both.
void hide_statement(ErrorData *error, const std::string &statement);

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
