// What one run is asked to do.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "template/window.hpp"
#include "request/option_list.hpp"

namespace pgci {

// The options of a request, each with the default of the list, under its own name.
struct RequestOptions {
    // NOLINTBEGIN(bugprone-macro-parentheses): the arguments are types and names
#define OPTION_WORD(name, Type, word, documentation, ...) Type name = Type::word;
#define OPTION_INTEGER(name, number, least, most, meaning, more) int name = number;
#define OPTION_COUNT(name, meaning, more) std::optional<std::int64_t> name{};
#define OPTION_FLAG(name, flag, documentation) bool name = flag;
#define OPTION_TEXT(name, documentation) std::optional<std::string> name{};
#define OPTION_NAMES(name, documentation) std::optional<std::vector<std::string>> name{};
#define OPTION_RELATION(name, documentation) Oid name = InvalidOid;
#include "request/options.inc"
    // NOLINTEND(bugprone-macro-parentheses)
};

// The options that differ from their defaults, as arguments in SQL, in the order of the list: "mode => 'replace', ...".
std::string options_text(const RequestOptions &options);

struct CopyRequest : RequestOptions {
    std::string src_conninfo;
    std::string query_template;
    std::optional<DateADT> day{};            // without this and data_interval: the whole result
    std::optional<TimeSpan> data_interval{}; // in place of a day
    Oid schema = InvalidOid;                 // of the extension
    std::int64_t run_id = 0;                 // of an entry that the ledger has already; 0: the run makes one
    bool commit_batches = false;             // a transaction for every batch
    std::int64_t job_id = 0;                 // 0: a call without a job
    std::string job{};                       // its name
    bool refuses_unsettled = false;          // settle => warn: an error for a window that is known not to be settled

    bool has_window() const { return day || data_interval; }
    // What the run copies, and what the ledger calls it: the day or the range, grown by lookback. Raises 22008, 22023
    // for what is no window.
    std::optional<Window> window(const TimeZone &zone) const;
};

} // namespace pgci
