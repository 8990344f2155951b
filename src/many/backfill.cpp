#include "many/backfill.hpp"

#include "ledger/coverage.hpp"
#include "ledger/ledger.hpp"
#include "ledger/rejected_rows.hpp"
#include "run/repair.hpp"
#include "many/load_windows.hpp"

namespace pgci {

namespace {

std::vector<Span> select_windows(Oid schema, const Job &job, const std::vector<Span> &all, Reprocess reprocess) {
    if (reprocess == Reprocess::all || reprocess == Reprocess::different) return all;
    if (reprocess == Reprocess::missing)
        return uncovered_windows(job.grid(), {all.front().start, all.back().end}, find_tried_windows(schema, job),
                                 most_windows_of_call);
    std::vector<Span> selected;
    for (const std::size_t place : RunHistory(schema).find_failed(job.id, job.kind(), all))
        selected.push_back(all[place]);
    return selected;
}

std::string describe_selection(std::size_t selected, std::size_t all, Reprocess reprocess) {
    const std::string of_all = " of " + std::to_string(all) + " windows ";
    if (reprocess == Reprocess::failed) return std::to_string(selected) + of_all + "failed before.";
    if (selected == all) return "";
    return std::to_string(all - selected) + of_all + "were loaded before.";
}

} // namespace

void backfill(Oid schema, const std::string &job_name, const NamedWindows &named, int workers, Reprocess reprocess) {
    const ProcedureScope procedure(true);
    const ClientWatch client_watch;
    check_may_write();
    Job job = Jobs(schema).find(job_name);
    const bool repairs = reprocess == Reprocess::different;
    if (repairs) job.request = repair_of(job.request, Deletes::apply);
    if (reprocess == Reprocess::all && job.request.mode == Mode::append && job.request.on_rerun != OnRerun::run)
        raise(sqlstate::invalid_parameter, "reprocess => 'all' in mode append would load rows twice",
              "Use a job of mode replace or upsert, or reprocess => 'missing'; if the rows are gone, call "
              "copy_incremental_forget().");
    Ledger(schema).mark_crashed();
    procedure.commit();
    const std::vector<Span> all = windows_of(job, named);
    std::vector<Span> selected = select_windows(schema, job, all, reprocess);
    std::string detail = describe_selection(selected.size(), all.size(), reprocess);
    if (reprocess == Reprocess::missing) {
        const std::string rejects = describe_windows_with_rejects(schema, job, {all.front().start, all.back().end});
        detail.append(detail.empty() || rejects.empty() ? "" : " ").append(rejects);
    }
    procedure.rest();
    ConnectionKeeper keeper(procedure.memory());
    WindowLoader loader(
        schema, procedure, keeper, workers,
        reprocess == Reprocess::missing
            ? "Windows that succeeded stay loaded. Remove the cause and call again to load the missing windows."
        : repairs ? "Windows that succeeded stay repaired. Remove the cause and call again."
                  : "Windows that succeeded stay loaded. Remove the cause and call again with reprocess => 'failed'.");
    loader.load({{.job = job,
                  .windows = std::move(selected),
                  .is_again = reprocess == Reprocess::all || repairs ||
                              (reprocess == Reprocess::failed && job.request.mode != Mode::append),
                  .repairs = repairs,
                  .detail = detail}});
    loader.finish();
    procedure.finish();
}

} // namespace pgci
