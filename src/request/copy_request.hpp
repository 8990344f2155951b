// The request for one run.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "template/source_query.hpp"
#include "template/window_grid.hpp"
#include "request/option_list.hpp"
#include "request/source_snapshot.hpp"

namespace pgci {

// The options of a request, with the names and defaults of the list.
struct RequestOptions {
    // NOLINTBEGIN(bugprone-macro-parentheses): the arguments are types and names
#define OPTION_WORD(name, Type, word, documentation, ...) Type name = Type::word;
#define OPTION_INTEGER(name, number, least, most, meaning, more) int name = number;
#define OPTION_NUMBER(name, least, most, meaning, more) std::optional<int> name{};
#define OPTION_COUNT(name, meaning, more) std::optional<std::int64_t> name{};
#define OPTION_FLAG(name, flag, documentation) bool name = flag;
#define OPTION_TEXT(name, documentation) std::optional<std::string> name{};
#define OPTION_NAMES(name, documentation) std::optional<std::vector<std::string>> name{};
#define OPTION_RELATION(name, documentation) Oid name = InvalidOid;
#include "request/options.inc"
    // NOLINTEND(bugprone-macro-parentheses)
};

// Returns the options that differ from their defaults as SQL arguments, in the order of the list: "mode => 'replace',
// ...".
std::string options_text(const RequestOptions &options);

// What a repair does with rows of the target that the source does not have.
enum class Deletes { apply, ignore };
template <> inline constexpr std::string_view words_of<Deletes> = "apply, ignore";

// A column of a query's result as a job remembers it.
struct KnownColumn {
    std::string name;
    Oid type = InvalidOid; // InvalidOid: one that PostgreSQL does not number itself, or not known
    int typmod = -1;

    bool operator==(const KnownColumn &) const = default;
};

struct CopyRequest : RequestOptions {
    std::string src_conninfo;
    std::string query_template;
    std::optional<DateADT> day{};              // null, and span too: the whole result
    std::optional<Span> span{};                // instead of a day
    WindowKind window_kind = WindowKind::time; // of the span
    Oid schema = InvalidOid;                   // of the extension
    std::int64_t run_id = 0;                   // an existing ledger entry; 0: the run creates one
    bool commit_batches = false;               // commit each batch
    std::int64_t job_id = 0;                   // 0: a call without a job
    std::string job{};                         // name of the job
    std::optional<WindowGrid> grid{};          // its windows
    int job_version = 0;                       // of its definition
    std::vector<KnownColumn> known_columns{};  // of the last run of the job, or of its definition; empty: not known
    bool binds_target = false;                 // the job's target did not exist when it was defined
    std::string target_name{};                 // of a job whose target does not exist; empty otherwise
    bool refuses_unsettled = false;  // settle => warn raises an error if the window is known not to be settled
    bool is_one_of_many = false;     // the call loads other windows of the job, too
    std::optional<Deletes> repair{}; // write only the rows that differ, whatever the mode
    SourceSnapshot snapshot{};       // read this one; if there is none, a new one
    SettledBefore settled_before = SettledBefore::not_looked; // the window, before that snapshot was taken

    // The mode of the run in the ledger.
    std::string_view recorded_mode() const { return repair ? "repair" : word_of(mode); }
    bool has_window() const { return day || span; }
    // Returns the window of the run, under which the ledger records it: the day or the range, extended by lookback.
    // Raises 22008 or 22023 if it is not a window.
    std::optional<Window> window(const TimeZone &zone) const;
    // Returns the query as it is written; null for a whole result. Raises what SourceQuery raises.
    SourceQuery written_query(const WindowText *window) const;
};

} // namespace pgci
