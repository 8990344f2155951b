#include "many/repair_windows.hpp"

#include "server/memory.hpp"
#include "ledger/job_days.hpp"
#include "run/bound_warnings.hpp"
#include "run/copy_window.hpp"
#include "run/repair.hpp"

namespace pgci {

void repair_windows(Oid schema, const std::string &job_name, const std::optional<DayRange> &days, Deletes deletes,
                    const std::function<void(const TextRow &)> &sink) {
    const Jobs jobs(schema);
    const Job job = jobs.find(job_name);
    CopyRequest request = repair_of(jobs.request_of(job), deletes);
    request.is_one_of_many = true;
    warn_of_bounds(request);
    ConnectionKeeper keeper(CurTransactionContext);
    for (const std::optional<TimeSpan> &window : parts_of_job(job, days)) {
        const TemporaryMemory memory;
        request.data_interval = window;
        const RepairedRows rows = repair_window(request, &keeper);
        TextRow row = window_columns(window, job.zone());
        for (const std::int64_t number : {rows.inserted, rows.updated, rows.deleted, rows.compared})
            row.emplace_back(std::to_string(number));
        sink(row);
    }
}

} // namespace pgci
