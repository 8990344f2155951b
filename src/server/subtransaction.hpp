// The one way to survive an error: the work that may fail runs in an internal subtransaction.
#pragma once

#include <optional>

#include "server/run_failure.hpp"

namespace pgci {

// A subtransaction that is rolled back when the object dies, unless it was released before.
class Subtransaction {
  public:
    Subtransaction();
    ~Subtransaction();
    Subtransaction(const Subtransaction &) = delete;
    Subtransaction &operator=(const Subtransaction &) = delete;

    // Keeps its work. An error here, a cancel too, leaves the subtransaction to the destructor.
    void release();
    // Rolls back, and throws the error again from memory of the outer transaction.
    [[noreturn]] void rethrow(const PgError &error);

  private:
    void roll_back() noexcept;
    void restore() const noexcept;

    MemoryContext memory_;
    MemoryContext outer_;
    ResourceOwner owner_;
    ErrorContextCallback *context_;
    int level_ = 0; // its nesting level in the transaction; 0 when it has ended
};

// A cancel, a timeout, the end of the session, or a failed ASSERT of PL/pgSQL: no error of the work, so nobody but the
// boundary may take it. These are the errors that PL/pgSQL's OTHERS does not catch either, and class 57P.
bool ends_the_call(int code);

inline constexpr auto any_error = [](int) { return true; };

// What becomes of the work of a body that succeeds. Without it, the locks that the body took are released as well.
enum class BodyWork : bool { is_kept, is_undone };

// Runs the body in a subtransaction. An error rolls it back, and is returned if `tolerates` is true for its packed
// SQLSTATE; any other is thrown again. An error that ends the call is always thrown again, and so is an exception that
// is no error of PostgreSQL's or ours: std::bad_alloc stays std::bad_alloc.
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
