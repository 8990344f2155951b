// What a function that returns a set gives back.
#pragma once

#include <vector>

#include "pg.hpp"

namespace pgci {

// Returns dates from a function RETURNS SETOF date.
void return_dates(FunctionCallInfo fcinfo, const std::vector<DateADT> &dates);

} // namespace pgci
