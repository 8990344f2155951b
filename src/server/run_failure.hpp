// The parts of an error that are kept after its transaction has ended.
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
    std::string constraint{}; // the violated constraint
    std::string column{};

    // The SQLSTATE as five characters.
    std::string sqlstate() const;
};

RunFailure describe_error(const ErrorData *error);
// Returns the exception that the calling catch block has caught.
RunFailure describe_failure();
// Raises the error again.
[[noreturn]] void raise(const RunFailure &failure);

} // namespace pgci
