#include "server/run_failure.hpp"

namespace pgci {

std::string RunFailure::sqlstate() const {
    std::string text;
    for (int rest = code, i = 0; i < 5; ++i, rest >>= 6) text += static_cast<char>((rest & 0x3F) + '0');
    return text;
}

RunFailure describe_error(const ErrorData *error) {
    const auto text = [](const char *part) { return std::string(part != nullptr ? part : ""); };
    return {error->sqlerrcode,    text(error->message),         text(error->detail),     text(error->hint),
            text(error->context), text(error->constraint_name), text(error->column_name)};
}

RunFailure describe_failure() {
    const detail::Failure failure = detail::current_failure();
    if (failure.postgres_error != nullptr) return describe_error(failure.postgres_error);
    return {failure.code, failure.message, failure.detail, failure.hint};
}

void raise(const RunFailure &failure) {
    raise(ErrorReport{.code = SqlState::from_text(failure.sqlstate()),
                      .message = failure.message,
                      .detail = failure.detail,
                      .hint = failure.hint,
                      .context = failure.context});
}

} // namespace pgci
