// The planner's estimate of rows in a plan that the source sent.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace pgci {

// The estimate in the first line of a plan: "Seq Scan on t  (cost=0.00..1.20 rows=12 width=8)". Nothing where it has
// none, or one that no planner makes. EXPLAIN writes it behind all names, which may look like it.
std::optional<std::int64_t> rows_of_line(std::string_view line);

} // namespace pgci
