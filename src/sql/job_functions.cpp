// The SQL functions that define and drop jobs, and those that load a window of a job.
#include "server/guard.hpp"
#include "request/copy_arguments.hpp"
#include "ledger/coverage.hpp"
#include "ledger/id_marks.hpp"
#include "ledger/jobs.hpp"
#include "ledger/run_lock.hpp"
#include "run/copy_window.hpp"
#include "run/define_job.hpp"
#include "sql/job_arguments.hpp"
#include "sql/job_boundary.hpp"

extern "C" {

PG_FUNCTION_INFO_V1(copy_incremental_create_job);
PG_FUNCTION_INFO_V1(copy_incremental_drop_job);
PG_FUNCTION_INFO_V1(copy_incremental_run);
PG_FUNCTION_INFO_V1(copy_incremental_run_range);
PG_FUNCTION_INFO_V1(copy_incremental_run_ids);

Datum copy_incremental_create_job(PG_FUNCTION_ARGS) {
    return pgci::job_boundary(fcinfo, [fcinfo] {
        pgci::define_job(pgci::NamedValues(fcinfo), pgci::extension_schema(fcinfo));
        return Datum{0};
    });
}

Datum copy_incremental_drop_job(PG_FUNCTION_ARGS) {
    return pgci::job_boundary(fcinfo, [fcinfo] {
        const Oid schema = pgci::extension_schema(fcinfo);
        const pgci::Jobs jobs(schema);
        const pgci::Job job = jobs.find(pgci::NamedValues(fcinfo).required_text("job"), pgci::JobUse::manage);
        pgci::lock_job(job.id, pgci::JobLock::exclusive); // waits until its runs have ended
        jobs.drop(job);
        pgci::Coverage(schema, job.kind()).drop(job.id);
        pgci::IdMarks(schema).drop(job.id);
        return Datum{0};
    });
}

Datum copy_incremental_run(PG_FUNCTION_ARGS) {
    return pgci::job_boundary(fcinfo,
                              [fcinfo] { return Int64GetDatum(pgci::copy_window(pgci::read_job_request(fcinfo))); });
}

Datum copy_incremental_run_range(PG_FUNCTION_ARGS) {
    return pgci::job_boundary(fcinfo,
                              [fcinfo] { return Int64GetDatum(pgci::copy_window(pgci::read_job_request(fcinfo))); });
}

Datum copy_incremental_run_ids(PG_FUNCTION_ARGS) {
    return pgci::job_boundary(fcinfo,
                              [fcinfo] { return Int64GetDatum(pgci::copy_window(pgci::read_job_request(fcinfo))); });
}

} // extern "C"
