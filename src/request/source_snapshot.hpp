// A snapshot of the source that the runs of several sessions read.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "server/pg.hpp"

namespace pgci {

// Plain data, also in shared memory.
struct SourceSnapshot {
    std::array<char, 32> name{}; // what pg_export_snapshot() returned; empty for none
    std::int64_t identity = 0;   // a hash of what the snapshot sees, and of the start of the source's server
    TimestampTz taken_at = 0;    // by the clock of this server: a moment before

    bool exists() const { return name[0] != '\0'; }
    std::string text() const { return name.data(); }
};

// Whether the source could commit no more rows of a window when the snapshot was taken.
enum class SettledBefore : std::int8_t { not_looked, yes, no };

inline std::optional<bool> to_optional(SettledBefore settled) {
    if (settled == SettledBefore::not_looked) return std::nullopt;
    return settled == SettledBefore::yes;
}

inline SettledBefore to_settled_before(std::optional<bool> is_settled) {
    if (!is_settled) return SettledBefore::not_looked;
    return *is_settled ? SettledBefore::yes : SettledBefore::no;
}

} // namespace pgci
