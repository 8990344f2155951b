// The boundary between PostgreSQL's ERROR (a longjmp) and C++ exceptions. See CONTRIBUTING.md for the rules.
#pragma once

#include "server/error.hpp"
#include "server/pg.hpp"

namespace pgci {

// A PostgreSQL ERROR that pg_call caught, with all fields: SQLSTATE, detail, hint, context, constraint name, position.
class PgError : public std::exception {
  public:
    explicit PgError(ErrorData *data) noexcept : data_(data) {}

    // The error data, allocated in memory of the transaction or subtransaction.
    ErrorData *data() const noexcept { return data_; }
    const char *what() const noexcept override { return data_->message != nullptr ? data_->message : ""; }

  private:
    ErrorData *data_;
};

namespace detail {
// Runs body(argument). Throws an ERROR in it as a PgError whose data is allocated in `error_memory`. Restores the
// current memory context in both cases.
void run_guarded(void (*body)(void *), void *argument, MemoryContext error_memory);

// The exception that left an entry point, as plain data, so that it can be reported outside the catch block.
struct Failure {
    ErrorData *postgres_error = nullptr;
    int code = 0;
    char message[1024] = "";
    char detail[2048] = "";
    char hint[1024] = "";

    void set(const ErrorReport &report) noexcept;
    void set(SqlState code, const char *message) noexcept;
};

// Returns the exception that the calling catch block has caught.
Failure current_failure() noexcept;

[[noreturn]] void report(const Failure &failure);
} // namespace detail

// Executes a block of PostgreSQL code and throws an ERROR in it as a PgError. The block must have only trivially
// destructible locals, because an ERROR skips destructors, and must not throw. Use one block for a batch, not one for
// each row. A block that ends the transaction needs an `error_memory` that outlives the transaction.
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

// Processes a pending cancel, timeout or termination as CHECK_FOR_INTERRUPTS() does, outside pg_call. Call it in every loop
// whose length a source or a user chooses, because a wait for data that has arrived does not process them.
inline void check_for_interrupts() {
    if (InterruptPending) pg_call([] { CHECK_FOR_INTERRUPTS(); });
}

// Throws an error as a PgError that has the current error context.
[[noreturn]] void raise(const ErrorReport &report);
[[noreturn]] void raise(SqlState code, const std::string &message, const std::string &hint = {},
                        const std::string &detail = {});

// The body of every function that PostgreSQL calls. Raises an exception of the body as an ERROR, because no C++
// exception may reach a C frame.
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

// Adds a line to the error context (error_context_stack) during its lifetime.
class ErrorContext {
  public:
    // `callback` calls errcontext(). It must not allocate C++ memory or throw.
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
