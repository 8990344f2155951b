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

void hide_statement(ErrorData *error, const std::string &statement) {
    if (statement.empty()) return;
    if (error->internalquery != nullptr && statement == error->internalquery) {
        error->internalquery = nullptr;
        error->internalpos = 0;
    }
    if (error->context == nullptr) return;
    std::string_view context = error->context;
    const std::size_t found = context.find(statement);
    if (found == std::string_view::npos) return;
    const std::size_t before = context.substr(0, found).rfind('\n');
    const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
    const std::size_t line_end = context.find('\n', found + statement.size());
    const std::size_t end = line_end == std::string_view::npos ? context.size() : line_end + 1;
    const std::string shown = std::string(context.substr(0, begin)).append(context.substr(end));
    error->context = shown.empty() ? nullptr : copy_text(shown);
}

} // namespace pgci
