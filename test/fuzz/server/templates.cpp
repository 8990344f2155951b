// Templates of queries: the server's scanner cuts any text into tokens or refuses it, and what was read of a text holds
// for the text that is made of it.
#include "template/template_scanner.hpp"

#include "fuzz/server_fuzz.hpp"

extern "C" {
PG_FUNCTION_INFO_V1(fuzz_templates);
}

namespace {

const fuzz::Corpus seeds = {
    "SELECT * FROM t WHERE created_at >= $1 AND created_at < $2",
    "SELECT 1; -- end",
    "SELECT 'a''b', E'\\x41\\n', U&'\\0041', B'101', X'1F', N'n', $$x$$, $q$ $1 ; $q$ FROM \"a \"\"b\" WHERE "
    "U&\"\\0061\" = $1",
    "/* a /* nested */ comment */ SELECT a.b::numeric(10, 2), c[1:2], -1e-5, .5, 1., 0007, x=>1, y:=2 FROM f($1)",
    "SELECT $1::date, $2 /* $3 */ -- $4\n, '$5', \"$6\", $7abc",
    "WITH x AS (SELECT 1) SELECT * FROM x WHERE a <> b AND a != b AND a <= b AND NOT a ~~* b",
    "SELECT 'a'\n'b' 'c'",
    "SELECT U&'d!0061' UESCAPE '!'",
    "SELECT \xc3\xa4 FROM \xe2\x82\xac",
    "a + - @ # 1"};

const fuzz::Corpus dictionary = {"$1",
                                 "$2",
                                 "$01",
                                 "$2147483647",
                                 "$2147483648",
                                 "'",
                                 "''",
                                 "\"",
                                 "E'",
                                 "e'\\",
                                 "U&'",
                                 "u&\"",
                                 " UESCAPE '!'",
                                 "$$",
                                 "$a$",
                                 "/*",
                                 "*/",
                                 "--",
                                 "\n",
                                 "\r",
                                 ";",
                                 ";;",
                                 "::",
                                 ":=",
                                 "=>",
                                 "..",
                                 "1..2",
                                 "1e",
                                 "0x1F",
                                 "1_000",
                                 "\\",
                                 "\\u0041",
                                 "\\U0010FFFF",
                                 "\\x",
                                 "\\377",
                                 "\\0041",
                                 "B'",
                                 "X'",
                                 "N'",
                                 "+-",
                                 "@-",
                                 "<>",
                                 "!=",
                                 "'a'\n'b'",
                                 "\f",
                                 "\v",
                                 "SELECT ",
                                 "\xc3\xa4",
                                 "\xf0\x9f\x98\x80",
                                 "a",
                                 "Z",
                                 "_"};

struct Reading {
    fuzz::Outcome outcome{};
    pgci::TemplateTokens tokens{};
    fuzz::Outcome canon_outcome{};
    std::string canon{};
};

Reading read(const std::string &text) {
    Reading reading;
    reading.outcome =
        fuzz::attempt(text, [&] { reading.tokens = pgci::scan_template(text, "query template", "SELECT"); });
    reading.canon_outcome = fuzz::attempt(text, [&] { reading.canon = pgci::token_text(text); });
    return reading;
}

void require(bool holds, const char *property, const std::string &text) {
    if (!holds) fuzz::found(property, text);
}

void check(const std::string &text) {
    const Reading reading = read(text);
    // Whoever scans the tokens finds the same errors.
    if (!reading.canon_outcome.is_value()) {
        require(reading.outcome == reading.canon_outcome, "one of two readings fails", text);
        return;
    }
    const Reading spaced = read("\n " + text + "\n ;");
    require(spaced.canon_outcome.is_value() && spaced.canon == reading.canon, "space and semicolons change nothing",
            text);
    if (!reading.outcome.is_value()) return;

    require(reading.tokens.length <= text.size(), "a statement ends within its text", text);
    std::size_t end = 0;
    std::vector<std::string> expressions;
    for (const pgci::TemplateParameter &parameter : reading.tokens.parameters) {
        require(parameter.at >= end && parameter.at < reading.tokens.length && text[parameter.at] == '$' &&
                    parameter.number > 0,
                "a parameter is where it is said to be", text);
        end = parameter.at + 1;
    }
    const std::string statement = text.substr(0, reading.tokens.length);
    const Reading alone = read(statement);
    require(alone.outcome.is_value() && alone.canon == reading.canon, "a statement alone reads as with its semicolon",
            text);
    if (reading.tokens.highest_parameter() > 100) return;
    expressions.assign(static_cast<std::size_t>(reading.tokens.highest_parameter()), "'2018-07-29'::timestamptz");
    const Reading replaced = read(pgci::replace_parameters(statement, alone.tokens, expressions));
    require(replaced.outcome.is_value() && replaced.tokens.parameters.empty(), "no parameter is left", text);
}

} // namespace

Datum fuzz_templates(PG_FUNCTION_ARGS) {
    return fuzz::fuzz_texts(fcinfo, seeds, dictionary, [](const std::string &text) {
        check(text);
        return fuzz::Verdict{};
    });
}
