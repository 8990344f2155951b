#include "run/later_windows.hpp"

#include <algorithm>

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "ledger/coverage.hpp"
#include "target/shared_keys.hpp"

namespace pgci {

void warn_of_later_windows(Oid schema, const CopyRequest &request, Oid target, const std::vector<Span> &windows) {
    if (request.job_id == 0 || request.repair || windows.empty() || !windows_may_share_keys(request, target)) return;
    const std::vector<Span> covered = Coverage(schema, request.window_kind).find(request.job_id);
    const bool has_later = std::any_of(covered.begin(), covered.end(), [&](const Span &part) {
        const Span later{std::max(part.start, windows.front().end), part.end};
        return later.start < later.end && !uncovered(later, windows).empty();
    });
    if (!has_later) return;
    const std::string job = shorten(request.job);
    pg_call([name = job.c_str()] {
        ereport(WARNING, (errmsg("later windows of job \"%s\" are loaded already", name),
                          errdetail("Where they have rows with the same keys, older rows replace newer ones now."),
                          errhint("Say with update_where which row is newer, or load the later windows again with "
                                  "copy_incremental_backfill() and reprocess => 'all'.")));
    });
}

} // namespace pgci
