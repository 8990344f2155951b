#include "request/option_arguments.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"

namespace pgci {

std::optional<std::vector<std::string>> read_names(const NamedValues &arguments, const char *name) {
    if (arguments.is_null(name)) return std::nullopt;
    const Datum value = arguments.value(name);
    Datum *elements = nullptr;
    bool *nulls = nullptr;
    int count = 0;
    pg_call([&] {
        deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
    });
    if (count > MaxHeapAttributeNumber)
        raise(sqlstate::too_many_columns,
              std::string(name) + " has " + std::to_string(count) + " columns, more than a table can have",
              "Pass fewer columns.");
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) {
        if (nulls[i])
            raise(sqlstate::null_not_allowed, std::string(name) + " must not contain nulls", "Pass column names.");
        const Datum element = elements[i];
        names.emplace_back(pg_call([=] { return TextDatumGetCString(element); }));
    }
    if (names.empty())
        raise(sqlstate::invalid_parameter, std::string(name) + " must not be empty",
              "Pass column names, or leave it out.");
    return names;
}

namespace {

std::string message_text(std::string_view text) { return std::string(text); }

[[noreturn]] void refuse_number(const OptionEntry &option, const std::string &what) {
    raise(sqlstate::invalid_parameter, message_text(option.name) + what,
          "It is " + message_text(option.documentation) + ".");
}

int read_integer(const NamedValues &arguments, const OptionEntry &option) {
    arguments.require(option.name.data());
    const int number = DatumGetInt32(arguments.value(option.name.data()));
    if (number < option.least || number > option.most)
        refuse_number(option, " must be between " + std::to_string(option.least) + " and " +
                                  std::to_string(option.most) + ", not " + std::to_string(number));
    return number;
}

std::optional<std::int64_t> read_count(const NamedValues &arguments, const OptionEntry &option) {
    if (arguments.is_null(option.name.data())) return std::nullopt;
    const std::int64_t number = DatumGetInt64(arguments.value(option.name.data()));
    if (number < 0) refuse_number(option, " must not be negative, but is " + std::to_string(number));
    return number;
}

bool read_flag(const NamedValues &arguments, const char *name) {
    arguments.require(name);
    return DatumGetBool(arguments.value(name));
}

} // namespace

void raise_wrong_word(const char *name, const std::string &word, std::string_view words) {
    raise(sqlstate::invalid_parameter,
          std::string("invalid value for argument \"") + name + "\": \"" + shorten(word) + "\"",
          "Allowed values are " + message_text(words) + ".");
}

// The regclass '-' is 0, which would mean that no table was given.
Oid read_relation(const NamedValues &arguments, const char *name) {
    if (arguments.is_null(name)) return InvalidOid;
    const Oid relation = DatumGetObjectId(arguments.value(name));
    if (!OidIsValid(relation))
        raise(sqlstate::undefined_table, std::string("argument \"") + name + "\" is not a table",
              "Pass " + std::string(name) + " => 'schema.table', or leave it out.");
    return relation;
}

void read_options(const NamedValues &arguments, RequestOptions &options) {
#define OPTION_WORD(name, Type, ...)                                                                                   \
    if (arguments.has(#name)) options.name = read_word<Type>(arguments, #name);
#define OPTION_INTEGER(name, ...)                                                                                      \
    if (arguments.has(#name)) options.name = read_integer(arguments, find_option(#name));
#define OPTION_NUMBER(name, ...)                                                                                       \
    if (!arguments.is_null(#name)) options.name = read_integer(arguments, find_option(#name));
#define OPTION_COUNT(name, ...) options.name = read_count(arguments, find_option(#name));
#define OPTION_FLAG(name, ...)                                                                                         \
    if (arguments.has(#name)) options.name = read_flag(arguments, #name);
#define OPTION_TEXT(name, ...) options.name = arguments.optional_text(#name);
#define OPTION_NAMES(name, ...) options.name = read_names(arguments, #name);
#define OPTION_RELATION(name, ...) options.name = read_relation(arguments, #name);
#include "request/options.inc"
}

} // namespace pgci
