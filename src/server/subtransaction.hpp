// Internal subtransactions, for work whose errors are handled.
#pragma once

#include <optional>

#include "server/run_failure.hpp"

namespace pgci {

// A subtransaction. The destructor rolls it back, unless it was released before.
class Subtransaction {
  public:
    Subtransaction();
    ~Subtransaction();
    Subtransaction(const Subtransaction &) = delete;
    Subtransaction &operator=(const Subtransaction &) = delete;

    // Commits the subtransaction. If this raises an error or is cancelled, the destructor rolls back.
    void release();
    // Rolls back and throws the error again, copied to memory of the outer transaction.
    [[noreturn]] void rethrow(const PgError &error);

  private:
    void roll_back() noexcept;
    void restore() const noexcept;

    MemoryContext memory_;
    MemoryContext outer_;
    ResourceOwner owner_;
    ErrorContextCallback *context_;
    int level_ = 0; // nesting level; 0: ended
};

// Returns whether the code is a cancel, a timeout, the end of the session or a failed PL/pgSQL ASSERT. Only the
// boundary may handle these errors: class 57P, and those that PL/pgSQL's OTHERS does not catch.
bool ends_the_call(int code);

inline constexpr auto any_error = [](int) { return true; };

// Whether to keep the work of a body that succeeds. If it is undone, the locks that the body took are released too.
enum class BodyWork : bool { is_kept, is_undone };

// Executes the body in a subtransaction. An error rolls the subtransaction back; it is returned if `tolerates` returns
// true for its packed SQLSTATE, and thrown again otherwise. Errors that end the call, and exceptions other than PgError
// and Error (such as std::bad_alloc), are always thrown again.
template <class Body, class Tolerates = decltype(any_error)>
std::optional<RunFailure> in_subtransaction(Body &&body, const Tolerates &tolerates = any_error,
                                            BodyWork work = BodyWork::is_kept) {
    Subtransaction subtransaction;
    try {
        body();
        if (work == BodyWork::is_kept) subtransaction.release();
        return std::nullopt;
    } catch (const PgError &error) {
        const int code = error.data()->sqlerrcode;
        if (ends_the_call(code) || !tolerates(code)) subtransaction.rethrow(error);
        return describe_error(error.data());
    } catch (const Error &error) {
        if (!tolerates(error.report().code.packed())) throw;
        return describe_failure();
    }
}

} // namespace pgci
