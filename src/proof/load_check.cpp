#include "proof/load_check.hpp"

#include "server/guard.hpp"

namespace pgci {

LoadCheck::LoadCheck(SourceSession &source, const SourceQuery &query, const std::vector<SourceColumn> &columns,
                     const Target &target, const std::string &slice, const WindowText *window, const TimeZone &zone)
    : comparison_(make_comparison(source, query, columns, target, slice, window, {}, zone)),
      source_(comparison_.source_checksum()), target_name_(target.name()) {}

void LoadCheck::compare() {
    const Checksum target = comparison_.target_checksum();
    if (target == source_) return;
    raise(sqlstate::rows_do_not_match, "rows of the window in " + target_name_ + " are not those of the source",
          "Load without verify, and see copy_incremental_verify_rows(). Rows that were there before, and triggers that "
          "change rows, are differences.",
          "The source has " + source_.rows + " rows, the target " + target.rows +
              (target.rows == source_.rows ? " with another checksum." : "."));
}

} // namespace pgci
