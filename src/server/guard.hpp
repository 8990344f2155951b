// The boundary between PostgreSQL's ERROR (a longjmp) and C++ exceptions. See CONTRIBUTING.md for the rules.
#pragma once

#include "server/error.hpp"
#include "server/pg.hpp"

namespace pgci {

// A PostgreSQL ERROR that pg_call caught, whole: SQLSTATE, detail, hint, context, constraint name, position.
class PgError : public std::exception {
  public:
    explicit PgError(ErrorData *data) noexcept : data_(data) {}

    // The error, allocated in the transaction's (or subtransaction's) memory.
    ErrorData *data() const noexcept { return data_; }
    const char *what() const noexcept override { return data_->message != nullptr ? data_->message : ""; }

  private:
    ErrorData *data_;
};

namespace detail {
// Runs body(argument); an ERROR in it becomes a PgError whose data lives in `error_memory`. The current memory context
// is restored either way.
void run_guarded(void (*body)(void *), void *argument, MemoryContext error_memory);

// How a C++ exception left an entry point, as plain data, so that it can be reported outside the catch block.
struct Failure {
    ErrorData *postgres_error = nullptr;
    int code = 0;
    char message[1024] = "";
    char detail[2048] = "";
    char hint[1024] = "";

    void set(const ErrorReport &report) noexcept;
    void set(SqlState code, const char *message) noexcept;
};

// The exception that the calling catch block has caught.
Failure current_failure() noexcept;

[[noreturn]] void report(const Failure &failure);
} // namespace detail

// Calls a block of PostgreSQL code. The block must have only trivially destructible locals, because an ERROR
// jumps over them, and must not throw. Meant for a block's worth of work, not for a row's. A block that ends the
// transaction needs an `error_memory` that outlives it.
template <class Body>
auto pg_call(Body &&body, MemoryContext error_memory = CurTransactionContext) -> std::invoke_result_t<Body> {
    using Result = std::invoke_result_t<Body>;
    if constexpr (std::is_void_v<Result>) {
        detail::run_guarded([](void *argument) { (*static_cast<std::remove_reference_t<Body> *>(argument))(); }, &body,
                            error_memory);
    } else {
        static_assert(std::is_trivially_destructible_v<Result>);
        Result result{};
        auto assign = [&] { result = body(); };
        detail::run_guarded([](void *argument) { (*static_cast<decltype(assign) *>(argument))(); }, &assign,
                            error_memory);
        return result;
    }
}

// Raises an error from C++ code that runs inside the server: as a PgError that carries the error context of now.
[[noreturn]] void raise(const ErrorReport &report);
[[noreturn]] void raise(SqlState code, const std::string &message, const std::string &hint = {},
                        const std::string &detail = {});

// The wall around every function that PostgreSQL calls: no C++ exception passes it.
template <class Body> Datum sql_boundary(Body &&body) {
    detail::Failure failure;
    const MemoryContext caller = CurrentMemoryContext;
    try {
        const Datum result = body();
        MemoryContextSwitchTo(caller);
        return result;
    } catch (...) {
        failure = detail::current_failure();
    }
    MemoryContextSwitchTo(caller);
    detail::report(failure);
}

// Pushes a line of error context (PostgreSQL's error_context_stack) for as long as it lives.
class ErrorContext {
  public:
    // `callback` calls errcontext(); it must not allocate C++ memory or throw.
    ErrorContext(void (*callback)(void *), void *argument) noexcept {
        entry_.callback = callback;
        entry_.arg = argument;
        entry_.previous = error_context_stack;
        error_context_stack = &entry_;
    }
    ~ErrorContext() { error_context_stack = entry_.previous; }
    ErrorContext(const ErrorContext &) = delete;
    ErrorContext &operator=(const ErrorContext &) = delete;

  private:
    ErrorContextCallback entry_{};
};

} // namespace pgci
