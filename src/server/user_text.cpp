#include "server/user_text.hpp"

#include "server/shown_text.hpp"

namespace pgci {

// Returns a copy in the memory of the error.
static char *copy_text(const std::string &text) {
    const char *const source = text.c_str();
    return pg_call([=] { return MemoryContextStrdup(CurTransactionContext, source); });
}

void point_into(ErrorData *error, const std::string &text, int before) {
    constexpr std::size_t longest_message = 200;
    if (error->cursorpos > 0) error->internalpos = std::exchange(error->cursorpos, 0);
    if (error->internalpos > before) {
        error->internalpos -= before;
        error->internalquery = copy_text(text);
    }
    if (strnlen(error->message, longest_message + 1) > longest_message)
        error->message = copy_text(shorten(error->message, longest_message));
}

} // namespace pgci
