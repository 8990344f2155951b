// What a function that returns a set gives back.
#pragma once

#include <vector>

#include "server/text_rows.hpp"

namespace pgci {

// Returns the rows from a function whose result is a set of rows, through the input functions of its columns.
void return_rows(FunctionCallInfo fcinfo, const std::vector<TextRow> &rows);

// Returns dates from a function RETURNS SETOF date.
void return_dates(FunctionCallInfo fcinfo, const std::vector<DateADT> &dates);

} // namespace pgci
