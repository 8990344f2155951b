// Fills in what the list of options says:
//
//     fill_in script <pg_copy_incremental.sql.in      the SQL script
//     fill_in reference                               the reference's table of options
//
// A line of the template that begins with "@function " or "@procedure " begins a declaration in SQL, which ends at a line
// "@comment". The lines from there to the next empty line are its comment. OPTIONS among the arguments is every option of a
// run, OPTIONS EXCEPT (a, b) is every one but these, and OPTIONS (a, b) is these. The program writes CREATE, COMMENT ON and
// REVOKE ... FROM PUBLIC, with the same arguments in each. The other lines of the template are copied.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "request/option_list.hpp"

namespace {

using pgci::all_options;
using pgci::OptionEntry;

std::string trimmed(const std::string &text) {
    const auto begin = text.find_first_not_of(" \n");
    return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \n") - begin + 1);
}

// The parts of a list, cut at the commas outside of parentheses.
std::vector<std::string> split_list(const std::string &list) {
    std::vector<std::string> parts(1);
    int depth = 0;
    for (const char c : list) {
        depth += c == '(' ? 1 : c == ')' ? -1 : 0;
        if (c == ',' && depth == 0)
            parts.emplace_back();
        else
            parts.back() += c;
    }
    for (std::string &part : parts) part = trimmed(part);
    return parts;
}

std::string declaration_of(const OptionEntry &option) {
    return std::string(option.name) + " " + std::string(option.sql_type) + " DEFAULT " +
           std::string(option.sql_default);
}

// What an argument of the template stands for: itself, or some of the options.
std::vector<std::string> expand_argument(const std::string &argument) {
    constexpr std::string_view mark = "OPTIONS";
    constexpr std::string_view except = "OPTIONS EXCEPT";
    if (argument.compare(0, mark.size(), mark) != 0) return {argument};
    std::vector<std::string> named;
    if (const auto open = argument.find('('); open != std::string::npos)
        named = split_list(argument.substr(open + 1, argument.rfind(')') - open - 1));
    for (const std::string &name : named) pgci::find_option(name);
    const bool leaves_out = argument.compare(0, except.size(), except) == 0;
    std::vector<std::string> arguments;
    for (const OptionEntry &option : all_options) {
        const bool is_named = std::find(named.begin(), named.end(), option.name) != named.end();
        if (named.empty() || is_named != leaves_out) arguments.push_back(declaration_of(option));
    }
    return arguments;
}

// The type of an argument as COMMENT ON and REVOKE name it; nothing for a result column.
std::string type_of(const std::string &argument) {
    if (argument.compare(0, 4, "OUT ") == 0) return "";
    const auto space = argument.find(' ');
    const std::string rest = argument.substr(space + 1);
    return rest.substr(0, rest.find(" DEFAULT "));
}

std::string join(const std::vector<std::string> &parts, const std::string &separator) {
    std::string list;
    for (const std::string &part : parts) list += (list.empty() ? "" : separator) + part;
    return list;
}

std::string quoted(const std::string &text) {
    std::string literal = "'";
    for (const char c : text) literal += c == '\'' ? std::string("''") : std::string(1, c);
    return literal + "'";
}

// Writes the statements of a declaration "name(arguments) what follows".
void write_declaration(const std::string &kind, const std::string &text, const std::string &comment) {
    const auto open = text.find('(');
    const auto close = text.rfind(')');
    if (open == std::string::npos || close == std::string::npos) throw std::runtime_error("no arguments: " + text);
    const std::string name = trimmed(text.substr(0, open));
    const std::string list = trimmed(text.substr(open + 1, close - open - 1));
    std::vector<std::string> arguments;
    std::vector<std::string> types;
    if (!list.empty())
        for (const std::string &argument : split_list(list))
            for (const std::string &expanded : expand_argument(argument)) {
                arguments.push_back(expanded);
                if (const std::string type = type_of(expanded); !type.empty()) types.push_back(type);
            }
    const std::string result = trimmed(text.substr(close + 1));
    const std::string signature = kind + " " + name + "(" + join(types, ", ") + ")";
    const char *const behaviour = kind == "FUNCTION" ? " VOLATILE PARALLEL UNSAFE" : "";
    std::cout << "CREATE " << kind << " " << name << "(" << (arguments.empty() ? "" : "\n    ")
              << join(arguments, ",\n    ") << (arguments.empty() ? ")" : "\n)") << (result.empty() ? "" : " " + result)
              << "\n    LANGUAGE C" << behaviour << "\n    AS 'MODULE_PATHNAME', '" << name << "';\n\nCOMMENT ON "
              << signature << " IS\n"
              << quoted(comment) << ";\n\nREVOKE ALL ON " << signature << " FROM PUBLIC;\n";
}

void write_script() {
    std::string kind;
    std::string text;
    std::string comment;
    std::string *part = nullptr; // of the declaration, that the next line belongs to
    const auto end_declaration = [&] {
        if (part == &text) throw std::runtime_error("a declaration without @comment: " + text);
        if (part != nullptr) write_declaration(kind, text, comment);
        part = nullptr;
    };
    for (std::string line; std::getline(std::cin, line);) {
        const bool is_function = line.compare(0, 10, "@function ") == 0;
        if (is_function || line.compare(0, 11, "@procedure ") == 0) {
            kind = is_function ? "FUNCTION" : "PROCEDURE";
            text = line.substr(line.find(' ') + 1);
            comment.clear();
            part = &text;
        } else if (part == &text && line == "@comment") {
            part = &comment;
        } else if (part != nullptr && line.empty()) {
            end_declaration();
            std::cout << "\n";
        } else if (part != nullptr) {
            *part += (part->empty() ? "" : " ") + trimmed(line);
        } else {
            std::cout << line << "\n";
        }
    }
    end_declaration();
}

std::string with_separators(long number) {
    std::string digits = std::to_string(number);
    for (auto place = static_cast<int>(digits.size()) - 3; place > 0; place -= 3)
        digits.insert(static_cast<std::size_t>(place), ",");
    return digits;
}

void write_reference() {
    std::cout << "| option | type, default | meaning |\n|---|---|---|\n";
    for (const OptionEntry &option : all_options) {
        const bool has_default = option.sql_default != "NULL";
        std::string standard(option.sql_default);
        if (option.sql_default.front() == '\'') standard = "`" + standard.substr(1, standard.size() - 2) + "`";
        std::cout << "| `" << option.name << "` | " << option.sql_type << ", " << (has_default ? standard : "NULL")
                  << " | " << option.documentation;
        if (!option.words.empty()) {
            std::string words = "`" + std::string(option.words) + "`";
            for (auto at = words.find(", "); at != std::string::npos; at = words.find(", ", at + 4))
                words.replace(at, 2, "`, `");
            std::cout << ". One of " << words;
        }
        if (option.most != 0)
            std::cout << "; " << with_separators(option.least) << " to " << with_separators(option.most);
        if (!option.more.empty()) std::cout << "; " << option.more;
        std::cout << " |\n";
    }
}

} // namespace

int main(int count, char **arguments) {
    try {
        const std::string_view what = count == 2 ? arguments[1] : "";
        if (what == "script") return write_script(), 0;
        if (what == "reference") return write_reference(), 0;
        throw std::runtime_error("usage: fill_in script|reference");
    } catch (const std::exception &error) {
        std::fprintf(stderr, "fill_in: %s\n", error.what());
    } catch (const char *error) {
        std::fprintf(stderr, "fill_in: %s\n", error);
    }
    return 1;
}
