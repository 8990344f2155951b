// What one run is asked to do.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "template/window.hpp"
#include "request/method.hpp"
#include "request/mode.hpp"

namespace pgci {

// What append does with a window that the ledger knows as loaded.
enum class OnRerun { error, skip, run };

// What is done about a window that the source may still commit rows of.
enum class Settle { ignore, warn, wait, error };

// What is done about a row that a conversion, a constraint or a trigger refuses.
enum class OnError { stop, reject };

struct CopyRequest {
    std::string src_conninfo;
    std::string query_template;
    std::optional<DateADT> day{};             // with data_interval null, nothing: the whole result
    const RangeType *data_interval = nullptr; // a tstzrange, in place of a day
    int batch = 0;                            // rows of a FETCH and of an INSERT
    Oid target = InvalidOid;                  // InvalidOid: the table that the query reads
    Mode mode = Mode::append;
    std::optional<std::string> replace_where{};            // mode replace: the slice
    std::optional<std::vector<std::string>> key_columns{}; // modes skip and upsert; nothing: the primary key
    std::optional<std::string> transform{};                // a SELECT over the relation "batch"
    std::optional<std::string> time_zone{};                // nothing: the session's
    OnRerun on_rerun = OnRerun::error;
    Method method = Method::cursor;
    Settle settle = Settle::warn;
    int lookback = 0;    // days by which the window grows backwards
    bool verify = false; // compares the rows of both servers before the run ends
    OnError on_error = OnError::stop;
    std::optional<std::int64_t> reject_limit{}; // rows; nothing: any number
    Oid schema = InvalidOid;                    // of the extension
    std::int64_t run_id = 0;                    // of an entry that the ledger has already; 0: the run makes one
    bool commit_batches = false;                // a transaction for every batch

    // What the run copies, and what the ledger calls it: the day or the range, grown by lookback. Raises 22008, 22023
    // for what is no window.
    std::optional<Window> window(const TimeZone &zone) const;
};

} // namespace pgci
