// How rows travel from the source into the target. Pure C++.
#pragma once

#include <optional>
#include <string_view>

namespace pgci {

enum class Method {
    cursor, // FETCHes of a cursor, INSERT through SPI
    copy,   // COPY from server to server
    bulk,   // FETCHes of a cursor, written as COPY writes
};

// The word of the SQL argument, and the method of a word.
constexpr std::string_view method_name(Method method) {
    switch (method) {
    case Method::cursor:
        return "cursor";
    case Method::copy:
        return "copy";
    case Method::bulk:
        return "bulk";
    }
    return "";
}

constexpr std::optional<Method> find_method(std::string_view name) {
    for (const Method method : {Method::cursor, Method::copy, Method::bulk})
        if (method_name(method) == name) return method;
    return std::nullopt;
}

} // namespace pgci
