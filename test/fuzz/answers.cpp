// Numbers in the source's answers: what is read is the number that the text shows, and nothing else is read.
#include <limits>

#include "connection/foreign_number.hpp"
#include "fuzz.hpp"

namespace {

constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t most_oid = std::numeric_limits<std::uint32_t>::max();

// The digits without leading zeros, as the number is written.
std::string without_zeros(std::string_view text) {
    const bool is_negative = text.starts_with('-');
    std::string_view digits = text.substr(is_negative ? 1 : 0);
    digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size() - 1));
    return (is_negative && digits != "0" ? "-" : "") + std::string(digits);
}

void check_number(std::string_view text) {
    const auto number = pgci::read_integer(text, least, most);
    for (const std::size_t most_digits : {std::size_t{1}, std::size_t{18}, std::size_t{40}, text.size()}) {
        const bool is_whole = pgci::is_whole_number(text, most_digits);
        fuzz::require(!is_whole || text.size() <= most_digits + 1, "a number has no more digits than it may");
        fuzz::require(!is_whole || most_digits > 18 || number.has_value(), "18 digits are an integer",
                      std::string(text));
    }
    if (number) {
        fuzz::require(pgci::is_whole_number(text, text.size()), "an integer is a whole number", std::string(text));
        fuzz::require(std::to_string(*number) == without_zeros(text), "the number is the text's", std::string(text));
    }
    const auto oid = pgci::read_integer(text, 1, most_oid);
    fuzz::require(oid == (number && *number >= 1 && *number <= most_oid ? number : std::nullopt),
                  "an OID is a number in its range", std::string(text));
    fuzz::require(!pgci::read_integer(std::string(text) + " ", least, most) &&
                      !pgci::read_integer(" " + std::string(text), least, most) &&
                      !pgci::read_integer(std::string(text) + '\0', least, most),
                  "nothing stands beside a number", std::string(text));
}

void check_estimate(std::string_view line) {
    const auto rows = pgci::rows_of_line(line);
    fuzz::require(!rows || *rows >= 0, "an estimate is not negative", std::string(line));
    // Whatever a name holds, the planner's figures stand behind it.
    const std::string planned = "Seq Scan on \"" + std::string(line) + "\"  (cost=0.00..1.20 rows=12 width=8)";
    fuzz::require(pgci::rows_of_line(planned) == 12, "the estimate stands behind all names", planned);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const std::string_view text = fuzz::text(data, size);
    check_number(text);
    check_estimate(text);
    // A number in a line is read as it is in a cell.
    const auto number = pgci::read_integer(text, 0, most);
    const std::string line = "Result  (cost=0.00..1.20 rows=" + std::string(text) + " width=8)";
    fuzz::require(!number || pgci::rows_of_line(line) == number, "a line has the number that stands in it", line);
    return 0;
}
