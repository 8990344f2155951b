// What is left of an error when the transaction that had it is gone.
#pragma once

#include <string>

#include "server/guard.hpp"

namespace pgci {

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

} // namespace pgci
