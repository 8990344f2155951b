// The list of options as types and as a table. Pure C++: the program that generates the SQL script uses it too.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace pgci {

// An entry of options.inc, as text.
struct OptionEntry {
    std::string_view name;
    std::string_view sql_type;
    std::string_view sql_default;
    std::string_view documentation;
    std::string_view words{}; // the allowed words, separated by ", "; empty for other types
    long least = 0;           // minimum of an integer
    long most = 0;
    std::string_view more{}; // documentation of a number in addition to its meaning
};

#define OPTION_WORD(name, Type, word, documentation, ...)                                                              \
    OptionEntry{#name, "text", "'" #word "'", documentation, #__VA_ARGS__},
#define OPTION_INTEGER(name, number, least, most, meaning, more)                                                       \
    OptionEntry{#name, "integer", #number, meaning, {}, least, most, more},
#define OPTION_NUMBER(name, least, most, meaning, more)                                                                \
    OptionEntry{#name, "integer", "NULL", meaning, {}, least, most, more},
#define OPTION_COUNT(name, meaning, more) OptionEntry{#name, "bigint", "NULL", meaning, {}, 0, 0, more},
#define OPTION_FLAG(name, flag, documentation) OptionEntry{#name, "boolean", #flag, documentation},
#define OPTION_TEXT(name, documentation) OptionEntry{#name, "text", "NULL", documentation},
#define OPTION_NAMES(name, documentation) OptionEntry{#name, "text[]", "NULL", documentation},
#define OPTION_RELATION(name, documentation) OptionEntry{#name, "regclass", "NULL", documentation},
inline constexpr std::array all_options{
#include "request/options.inc"
};

// Returns the entry of a name, which must be in the list.
constexpr const OptionEntry &find_option(std::string_view name) {
    for (const OptionEntry &option : all_options)
        if (option.name == name) return option;
    throw "no such option";
}

// The words of an enumeration of the list, in the order of its values, separated by ", ".
template <class Enumeration> inline constexpr std::string_view words_of{};

#define OPTION_WORD(name, Type, word, documentation, ...)                                                              \
    enum class Type { __VA_ARGS__ };                                                                                   \
    template <> inline constexpr std::string_view words_of<Type> = #__VA_ARGS__;
#include "request/options.inc"

// Returns the value of a word, or nothing for a word that is not allowed.
template <class Enumeration> constexpr std::optional<Enumeration> find_word(std::string_view word) {
    std::string_view rest = words_of<Enumeration>;
    for (int value = 0; !rest.empty(); ++value) {
        const std::size_t comma = rest.find(", ");
        if (rest.substr(0, comma) == word) return static_cast<Enumeration>(value);
        rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 2);
    }
    return std::nullopt;
}

// Returns the word of a value.
template <class Enumeration> constexpr std::string_view word_of(Enumeration value) {
    std::string_view rest = words_of<Enumeration>;
    for (int i = 0; i < static_cast<int>(value); ++i) rest.remove_prefix(rest.find(", ") + 2);
    return rest.substr(0, rest.find(", "));
}

} // namespace pgci
