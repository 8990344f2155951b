#include "server/subtransaction.hpp"

namespace pgci {

Subtransaction::Subtransaction()
    : memory_(CurrentMemoryContext), outer_(CurTransactionContext), owner_(CurrentResourceOwner),
      context_(error_context_stack) {
    level_ = pg_call([] {
        BeginInternalSubTransaction(nullptr);
        return GetCurrentTransactionNestLevel();
    });
    MemoryContextSwitchTo(memory_);
}

Subtransaction::~Subtransaction() {
    if (level_ != 0) roll_back();
}

void Subtransaction::release() {
    // The error data must outlive the subtransaction.
    pg_call(
        [this] {
            if (GetCurrentTransactionNestLevel() != level_)
                elog(ERROR, "the transaction is at nesting level %d instead of %d", GetCurrentTransactionNestLevel(),
                     level_);
            ReleaseCurrentSubTransaction();
        },
        outer_);
    level_ = 0;
    restore();
}

// Rolls back the subtransaction and all that the body opened in it. If this fails, the session must end: the caller's
// handler would otherwise roll back the wrong level.
void Subtransaction::roll_back() noexcept {
    try {
        pg_call(
            [this] {
                while (GetCurrentTransactionNestLevel() >= level_) RollbackAndReleaseCurrentSubTransaction();
            },
            outer_);
    } catch (...) {
        ereport(FATAL, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not roll back a subtransaction")));
    }
    level_ = 0;
    restore();
}

void Subtransaction::restore() const noexcept {
    CurrentResourceOwner = owner_;
    error_context_stack = context_;
    MemoryContextSwitchTo(memory_);
}

void Subtransaction::rethrow(const PgError &error) {
    ErrorData *const inner = error.data();
    ErrorData *outer = nullptr;
    try {
        pg_call([=] { ReThrowError(inner); }, outer_);
    } catch (const PgError &moved) {
        outer = moved.data();
    }
    roll_back();
    throw PgError(outer);
}

bool ends_the_call(int code) {
    constexpr int first_three_characters = (1 << 18) - 1;
    const bool ends_the_session =
        (code & first_three_characters) == (ERRCODE_ADMIN_SHUTDOWN & first_three_characters); // 57P
    return ends_the_session || code == ERRCODE_QUERY_CANCELED || code == ERRCODE_ASSERT_FAILURE;
}

} // namespace pgci
