// copy_incremental_describe(): what a run would do with each column.
#pragma once

#include "server/text_rows.hpp"
#include "request/copy_request.hpp"

namespace pgci {

// The columns of the source, in the order of the query, those of a transform, and the target's that get nothing: source
// column and type, how it travels, target column and type, conversion, note. Reads no row and writes nothing. A column
// that would fail the run is told in its note; errors are those of a run before its first row.
std::vector<TextRow> describe_columns(const CopyRequest &request);

} // namespace pgci
