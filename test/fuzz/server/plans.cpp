// Plans in JSON, as the source sends them: any text is read as scans, each with texts, or not at all.
#include "source/plan_scans.hpp"

#include "fuzz/server_fuzz.hpp"

extern "C" {
PG_FUNCTION_INFO_V1(fuzz_plans);
}

namespace {

const fuzz::Corpus seeds = {
    R"json([{"Plan": {"Node Type": "Seq Scan", "Parallel Aware": false, "Relation Name": "t", "Schema": "public",
 "Alias": "t", "Startup Cost": 0.00, "Total Cost": 1.20, "Plan Rows": 12, "Plan Width": 8, "Output": ["a", "b"],
 "Filter": "((t.at)::date = '2018-07-29'::date)"}}])json",
    R"json([{"Plan": {"Node Type": "Append", "Plans": [{"Node Type": "Seq Scan", "Schema": "s", "Relation Name": "a",
 "Filter": "(a > 1)"}, {"Node Type": "Index Scan", "Filter": "x"}, {"Node Type": "Seq Scan", "Filter": null}]}}])json",
    "[]",
    "{}",
    "null",
    R"json(["\u00e4\ud83d\ude00\n", 1e-5, -0, true])json"};

const fuzz::Corpus dictionary = {"\"Node Type\": \"Seq Scan\"",
                                 "\"Schema\": \"s\"",
                                 "\"Relation Name\": \"t\"",
                                 "\"Filter\": \"f\"",
                                 "\"Filter\": {}",
                                 "null",
                                 "[",
                                 "]",
                                 "{",
                                 "}",
                                 ",",
                                 ":",
                                 "\"",
                                 "\\u0000",
                                 "\\ud800",
                                 "\\udc00",
                                 "\\",
                                 "1e400",
                                 "1e99999",
                                 "-",
                                 "[[[[[[[[[[[[[[[[",
                                 "0.0000000001",
                                 "\xc3\xa4"};

fuzz::Verdict check(const std::string &text) {
    std::optional<std::vector<pgci::TextRow>> scans;
    const fuzz::Outcome outcome = fuzz::attempt(text, [&] { scans = pgci::filtering_scans(text); });
    if (!outcome.is_value()) fuzz::found("an error of this server's user: " + outcome.text(), text);
    for (const pgci::TextRow &scan : scans.value_or(std::vector<pgci::TextRow>()))
        if (scan.size() != 3 || !scan[0] || !scan[1] || !scan[2]) fuzz::found("a scan lacks a text", text);
    return {.is_value = scans.has_value(), .is_rare = scans && !scans->empty()};
}

} // namespace

Datum fuzz_plans(PG_FUNCTION_ARGS) { return fuzz::fuzz_texts(fcinfo, seeds, dictionary, check); }
