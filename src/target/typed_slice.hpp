// The slice of replace_where, with the window as values of the types that the target's columns give to $1 and $2.
#pragma once

#include <string>

#include "template/window.hpp"
#include "target/target.hpp"

namespace pgci {

// Returns the condition. A date and a timestamp are local times of the zone. A text without parameters is returned as
// `put_in`, with the window in its placeholders. Raises 42804 for a parameter that is a text or a number, 22023 for a
// date and a window that does not consist of days, and the errors of the analysis.
std::string typed_slice(const std::string &replace_where, const std::string &put_in, const Target &target,
                        const Window &window, const TimeZone &zone);

} // namespace pgci
