// Placeholders: what comes out is what a reader of Python's str.format expects.
#include "template/placeholders.hpp"

#include "server/error.hpp"
#include "fuzz.hpp"

namespace {

const pgci::WindowText day{"2018-07-29", "2018-07-30", "2018-07-29 00:00:00+00", "2018-07-30 00:00:00+00"};
const pgci::WindowText no_day{"", "", "2018-07-29 10:00:00+00", "2018-07-29 11:00:00+00"};

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
    return text;
}

// The text of an error, which may repeat little of the template.
std::string error_of(std::string_view text, const pgci::WindowText *window) {
    try {
        (void)pgci::format_placeholders(text, window, "query template");
    } catch (const pgci::Error &error) {
        fuzz::require(error.report().code == pgci::sqlstate::invalid_parameter, "an error is 22023");
        fuzz::require(error.report().message.size() < 200, "a message is short", error.report().message);
        return error.report().message;
    }
    return {};
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const std::string_view text = fuzz::text(data, size);
    const bool has_braces = text.find_first_of("{}") != std::string_view::npos;
    for (const pgci::WindowText *const window : {&day, &no_day, static_cast<const pgci::WindowText *>(nullptr)}) {
        if (!error_of(text, window).empty()) {
            fuzz::require(has_braces, "a text without braces is no error");
            continue;
        }
        const pgci::FormattedTemplate result = pgci::format_placeholders(text, window, "query template");
        if (!has_braces) {
            fuzz::require(result.text == text && result.placeholders == 0, "a text without braces stays as it is");
        } else if (window == nullptr) {
            fuzz::require(result.placeholders == 0, "without a window nothing is put in");
            fuzz::require(replace_all(replace_all(result.text, "{", "{{"), "}", "}}") == text,
                          "without a window only braces are halved");
        }
    }
    // Whatever the text is, its braces doubled give it back, and a placeholder between two of them is the day.
    const std::string escaped = replace_all(replace_all(std::string(text), "{", "{{"), "}", "}}");
    fuzz::require(pgci::format_placeholders(escaped, &day, "x").text == text, "doubled braces give the text back");
    const std::string both = escaped + "{day}" + escaped + "{}";
    const pgci::FormattedTemplate put_in = pgci::format_placeholders(both, &day, "x");
    fuzz::require(put_in.placeholders == 2 &&
                      put_in.text == std::string(text) + day.day + std::string(text) + day.day,
                  "a placeholder becomes the day");
    const std::string_view named = pgci::find_named_placeholder(text);
    fuzz::require(named.empty() || text.find(named) != std::string_view::npos, "a named placeholder is of the text");
    return 0;
}
