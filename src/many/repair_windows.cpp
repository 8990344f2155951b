#include "many/repair_windows.hpp"

#include "server/memory.hpp"
#include "run/bound_warnings.hpp"
#include "run/copy_window.hpp"
#include "run/repair.hpp"

namespace pgci {

void repair_windows(Oid schema, const std::string &job_name, const NamedWindows &named, Deletes deletes,
                    const std::function<void(const TextRow &)> &sink) {
    const Jobs jobs(schema);
    const Job job = jobs.find(job_name);
    CopyRequest request = repair_of(jobs.request_of(job), deletes);
    request.is_one_of_many = true;
    warn_of_bounds(request);
    ConnectionKeeper keeper(CurTransactionContext);
    for (const std::optional<Span> &window : parts_of_job(job, named)) {
        const TemporaryMemory memory;
        request.span = window;
        const RepairedRows rows = repair_window(request, &keeper);
        TextRow row = window_columns(job.kind(), window, job.zone());
        for (const std::int64_t number : {rows.inserted, rows.updated, rows.deleted, rows.compared})
            row.emplace_back(std::to_string(number));
        sink(row);
    }
}

} // namespace pgci
