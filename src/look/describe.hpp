// copy_incremental_describe(): what a run would do with each column.
#pragma once

#include "server/text_rows.hpp"
#include "request/copy_request.hpp"

namespace pgci {

// Returns the columns of the source in the order of the query, the columns of a transform, and the columns of the target that
// get no value. Each has the source column and its type, the transfer format, the target column and its type, the conversion,
// and a note. Reads no row and writes nothing. The note tells if the column would make the run fail. Raises what a run raises
// before its first row.
std::vector<TextRow> describe_columns(const CopyRequest &request);

} // namespace pgci
