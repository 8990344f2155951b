#include "server/attempt.hpp"

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

Subtransaction::Subtransaction() : memory_(CurrentMemoryContext), owner_(CurrentResourceOwner) {
    pg_call([] { BeginInternalSubTransaction(nullptr); });
    MemoryContextSwitchTo(memory_);
}

void Subtransaction::keep() const {
    pg_call([this] {
        ReleaseCurrentSubTransaction();
        CurrentResourceOwner = owner_;
    });
    MemoryContextSwitchTo(memory_);
}

void Subtransaction::roll_back() const {
    pg_call([this] {
        RollbackAndReleaseCurrentSubTransaction();
        CurrentResourceOwner = owner_;
    });
    MemoryContextSwitchTo(memory_);
}

void Subtransaction::roll_back_and_rethrow() const {
    // The error's memory ends with the subtransaction, and a subtransaction that is left open would be the user's.
    ErrorData *const inner = detail::current_failure().postgres_error;
    ErrorData *error = nullptr;
    try {
        pg_call([=] { ReThrowError(inner); }, memory_);
    } catch (const PgError &moved) {
        error = moved.data();
    }
    roll_back();
    throw PgError(error);
}

bool is_cancel(const RunFailure &failure) { return failure.code == ERRCODE_QUERY_CANCELED; }

} // namespace pgci
