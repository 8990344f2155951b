// The use case: one window of rows from the source into the target, whole or not at all.
#pragma once

#include <optional>
#include <string>

#include "pg.hpp"

namespace pgci {

struct CopyRequest {
    std::string src_conninfo;
    std::string query_template;
    std::optional<DateADT> day;           // nothing: no window, the whole result
    int batch = 0;                        // rows of a FETCH and of an INSERT
    Oid target = InvalidOid;              // InvalidOid: the table that the query reads
    std::optional<std::string> time_zone; // nothing: the session's
    Oid schema = InvalidOid;              // of the extension
};

// Copies and returns the number of rows written. Everything happens in the caller's transaction; on any error nothing
// stays written and nothing is left at the source.
std::int64_t copy_window(const CopyRequest &request);

} // namespace pgci
