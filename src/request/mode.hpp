// What happens to a row that the target already has, and to rows that it has and the source has not. Pure C++.
#pragma once

#include <optional>
#include <string_view>

namespace pgci {

enum class Mode {
    append,  // INSERT
    skip,    // rows whose key is there are left out
    upsert,  // rows whose key is there replace it, where they differ
    replace, // the slice is deleted first, and no row may be outside of it
};

// The word of the SQL argument, and the mode of a word.
constexpr std::string_view mode_name(Mode mode) {
    switch (mode) {
    case Mode::append:
        return "append";
    case Mode::skip:
        return "skip";
    case Mode::upsert:
        return "upsert";
    case Mode::replace:
        return "replace";
    }
    return "";
}

constexpr std::optional<Mode> find_mode(std::string_view name) {
    for (const Mode mode : {Mode::append, Mode::skip, Mode::upsert, Mode::replace})
        if (mode_name(mode) == name) return mode;
    return std::nullopt;
}

} // namespace pgci
