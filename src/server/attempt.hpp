// One try of something that may fail without ending what goes on around it.
#pragma once

#include <optional>
#include <string>

#include "server/guard.hpp"

namespace pgci {

// What is left of an error when the transaction that had it is gone.
struct RunFailure {
    int code = 0; // the packed SQLSTATE
    std::string message;
    std::string detail{};
    std::string hint{};
    std::string context{};
    std::string constraint{}; // the name of the one that was violated
    std::string column{};

    // The SQLSTATE's five characters.
    std::string sqlstate() const;
};

RunFailure describe_error(const ErrorData *error);
// The exception that the calling catch block has caught.
RunFailure describe_failure();
// Raises it again.
[[noreturn]] void raise(const RunFailure &failure);

// A subtransaction, which ends without a trace unless it is kept.
class Subtransaction {
  public:
    Subtransaction();
    Subtransaction(const Subtransaction &) = delete;
    Subtransaction &operator=(const Subtransaction &) = delete;

    void keep() const;
    void roll_back() const;
    // Rolls back and throws the PgError that the calling catch block has caught.
    [[noreturn]] void roll_back_and_rethrow() const;

  private:
    MemoryContext memory_;
    ResourceOwner owner_;
};

// Is it the user who wants the work to end, by a cancel or statement_timeout?
bool is_cancel(const RunFailure &failure);

// Runs the body in a subtransaction; an error rolls it back and is returned.
template <class Body> std::optional<RunFailure> attempt(Body &&body) {
    const Subtransaction subtransaction;
    try {
        body();
    } catch (...) {
        RunFailure failure = describe_failure();
        subtransaction.roll_back();
        return failure;
    }
    subtransaction.keep();
    return std::nullopt;
}

} // namespace pgci
