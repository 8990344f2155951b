// Text that comes from a source and is shown to our client: made valid, harmless and short first.
#pragma once

#include <cstddef>
#include <string>

namespace pgci {

// The text, valid in this database's encoding, control characters replaced by "?", no longer than `longest` bytes.
std::string sanitize(const char *text, std::size_t longest);

} // namespace pgci
