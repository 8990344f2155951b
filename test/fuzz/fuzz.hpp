// What the harnesses share. A harness is a file NAME.cpp with LLVMFuzzerTestOneInput(); test/bin/fuzz builds and runs it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);

namespace fuzz {

// Ends the harness, which is a finding, when a property does not hold.
inline void require(bool holds, const char *property, const std::string &shown = {}) {
    if (holds) return;
    std::fprintf(stderr, "property does not hold: %s\n%s\n", property, shown.c_str());
    std::abort();
}

inline std::string_view text(const std::uint8_t *data, std::size_t size) {
    return {reinterpret_cast<const char *>(data), size};
}

} // namespace fuzz
