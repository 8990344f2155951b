#include "server/guard.hpp"

#include "server/shown_text.hpp"

namespace pgci {

namespace detail {

// Copies the caught error and clears the error state. Returns null if there is no memory for the copy.
static ErrorData *take_error(MemoryContext memory) {
    sigjmp_buf *const outer_jump = PG_exception_stack;
    sigjmp_buf jump;
    ErrorData *volatile error = nullptr;
    if (sigsetjmp(jump, 0) == 0) {
        PG_exception_stack = &jump;
        MemoryContextSwitchTo(memory);
        error = CopyErrorData();
    }
    PG_exception_stack = outer_jump;
    FlushErrorState();
    return error;
}

void run_guarded(void (*body)(void *), void *argument, MemoryContext error_memory) {
    sigjmp_buf *const outer_jump = PG_exception_stack;
    ErrorContextCallback *const outer_context = error_context_stack;
    const MemoryContext memory = CurrentMemoryContext;
    sigjmp_buf jump;

    // savemask 0: a backend does not change the signal mask, and saving it would cost a system call.
    if (sigsetjmp(jump, 0) == 0) {
        PG_exception_stack = &jump;
        try {
            body(argument);
        } catch (...) {
            PG_exception_stack = outer_jump;
            throw;
        }
        PG_exception_stack = outer_jump;
        MemoryContextSwitchTo(memory);
        return;
    }
    PG_exception_stack = outer_jump;
    error_context_stack = outer_context;
    ErrorData *const error = take_error(error_memory);
    MemoryContextSwitchTo(memory);
    if (error == nullptr) throw std::bad_alloc();
    throw PgError(error);
}

static void copy_text(char *target, std::size_t size, const char *text) noexcept {
    strlcpy(target, text, size);
    // Do not cut a multibyte character.
    target[pg_mbcliplen(target, static_cast<int>(std::strlen(target)), static_cast<int>(size) - 1)] = '\0';
}

void Failure::set(const ErrorReport &report) noexcept {
    code = report.code.packed();
    copy_text(message, sizeof message, report.message.c_str());
    copy_text(detail, sizeof detail, report.detail.c_str());
    copy_text(hint, sizeof hint, report.hint.c_str());
}

void Failure::set(SqlState state, const char *text) noexcept {
    code = state.packed();
    copy_text(message, sizeof message, text);
}

// Replaces a text of an error by one that is not longer.
static void replace(char *text, const std::string &by) noexcept { std::memcpy(text, by.c_str(), by.size() + 1); }

// Statements of this extension contain texts of the user and column names, so they can have any length. Of a long
// query, an error shows the part around the position; of a long context, the beginning and the end.
static void shorten_query(ErrorData *error) {
    if (error->internalquery != nullptr) {
        const Excerpt shown = excerpt(error->internalquery, error->internalpos);
        replace(error->internalquery, shown.text);
        error->internalpos = shown.position;
    }
    if (error->context != nullptr) replace(error->context, shorten_middle(error->context));
}

Failure current_failure() noexcept {
    Failure failure;
    try {
        throw;
    } catch (const PgError &error) {
        failure.postgres_error = error.data();
        try {
            shorten_query(failure.postgres_error);
        } catch (...) {
            // Report the long error. An exception must not leave this function: it would terminate the server.
        }
    } catch (const Error &error) {
        failure.set(error.report());
    } catch (const std::bad_alloc &) {
        failure.set(sqlstate::out_of_memory, "out of memory");
    } catch (const std::exception &error) {
        failure.set(sqlstate::internal_error, error.what());
    } catch (...) {
        failure.set(sqlstate::internal_error, "unknown C++ exception");
    }
    return failure;
}

void report(const Failure &failure) {
    if (failure.postgres_error != nullptr) ReThrowError(failure.postgres_error);
    ereport(ERROR, (errcode(failure.code), errmsg_internal("%s", failure.message),
                    failure.detail[0] != '\0' ? errdetail_internal("%s", failure.detail) : 0,
                    failure.hint[0] != '\0' ? errhint("%s", failure.hint) : 0));
    pg_unreachable();
}

} // namespace detail

void raise(const ErrorReport &report) {
    constexpr std::size_t longest_message = 1024;
    constexpr std::size_t longest_detail = 3072;
    const std::string message_text = shorten(report.message, longest_message);
    const std::string detail_text = shorten(report.detail, longest_detail);
    const std::string hint_text = shorten(report.hint, longest_message);
    const std::string context_text = shorten(report.context, longest_detail);
    const char *const message = message_text.c_str();
    const char *const detail = detail_text.c_str();
    const char *const hint = hint_text.c_str();
    const char *const context = context_text.c_str();
    const char *const query = report.query.c_str();
    const int code = report.code.packed();
    const int position = report.position;
    pg_call([=] {
        ereport(ERROR,
                (errcode(code), errmsg_internal("%s", message),
                 detail[0] != '\0' ? errdetail_internal("%s", detail) : 0, hint[0] != '\0' ? errhint("%s", hint) : 0,
                 context[0] != '\0' ? errcontext("%s", context) : 0, query[0] != '\0' ? internalerrquery(query) : 0,
                 query[0] != '\0' ? internalerrposition(position) : 0));
    });
    pg_unreachable();
}

void raise(SqlState code, const std::string &message, const std::string &hint, const std::string &detail) {
    raise(ErrorReport{.code = code, .message = message, .detail = detail, .hint = hint});
}

} // namespace pgci
