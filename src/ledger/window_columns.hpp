// How the tables of the extension store windows of each kind.
#pragma once

#include <optional>
#include <vector>

#include "template/window.hpp"
#include "ledger/owner_statement.hpp"

namespace pgci {

struct WindowColumns {
    const char *of_run;       // of pgci_runs and pgci_claims
    const char *of_forgotten; // of pgci_runs
    const char *of_coverage;  // of pgci_coverage
    const char *range;        // type
    const char *multirange;   // type
};

inline const WindowColumns &columns_of(WindowKind kind) {
    static constexpr WindowColumns of_time{"data_interval", "forgotten", "covered", "tstzrange", "tstzmultirange"};
    static constexpr WindowColumns of_ids{"id_range", "forgotten_ids", "covered_ids", "int8range", "int8multirange"};
    return kind == WindowKind::ids ? of_ids : of_time;
}

// Return a bound, a window, and an array of windows as arguments of a statement; nothing is NULL. A window may have no_start
// and no_end.
Parameter bound_parameter(WindowKind kind, std::optional<std::int64_t> bound);
Parameter window_parameter(WindowKind kind, const std::optional<Span> &span);
Parameter windows_parameter(WindowKind kind, const std::vector<Span> &spans);

} // namespace pgci
