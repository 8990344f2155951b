// Reads the options of a request from the arguments of an SQL function and checks them.
#pragma once

#include "request/copy_request.hpp"
#include "request/named_values.hpp"

namespace pgci {

// Reads each option of the list that the function has as an argument; the others keep their defaults. Raises 22004 for
// a NULL that has no meaning, 22023, with the allowed values, for a value that is not allowed, and 42P01 for a regclass
// without a table.
void read_options(const NamedValues &arguments, RequestOptions &options);

[[noreturn]] void raise_wrong_word(const char *name, const std::string &word, std::string_view words);

// Reads an argument that is a word of an enumeration. Raises 22004 for NULL, 22023 for another word.
template <class Enumeration> Enumeration read_word(const NamedValues &arguments, const char *name) {
    const std::string word = arguments.required_text(name);
    const std::optional<Enumeration> found = find_word<Enumeration>(word);
    if (!found) raise_wrong_word(name, word, words_of<Enumeration>);
    return *found;
}

// Reads an array of names; nothing for NULL. Raises 22023 for an empty array, 22004 for a NULL in it, 54011 for more names
// than a table can have columns.
std::optional<std::vector<std::string>> read_names(const NamedValues &arguments, const char *name);

// Reads a regclass argument. Returns 0 for NULL. Raises 42P01 for a regclass without a table.
Oid read_relation(const NamedValues &arguments, const char *name);

} // namespace pgci
