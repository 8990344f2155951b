// The SQL functions that load nothing: explain, describe, verify.
#include "server/guard.hpp"
#include "request/copy_arguments.hpp"
#include "look/describe.hpp"
#include "look/explain.hpp"
#include "look/verify.hpp"
#include "sql/job_arguments.hpp"
#include "sql/job_boundary.hpp"
#include "sql/set_result.hpp"

extern "C" {

PG_FUNCTION_INFO_V1(copy_incremental_describe);
PG_FUNCTION_INFO_V1(copy_incremental_explain);
PG_FUNCTION_INFO_V1(copy_incremental_verify);
PG_FUNCTION_INFO_V1(copy_incremental_verify_rows);

Datum copy_incremental_describe(PG_FUNCTION_ARGS) {
    return pgci::job_boundary(fcinfo, [fcinfo] {
        pgci::return_rows(fcinfo, pgci::describe_columns(pgci::read_any_window(fcinfo).request));
        return Datum{0};
    });
}

Datum copy_incremental_explain(PG_FUNCTION_ARGS) {
    return pgci::job_boundary(fcinfo, [fcinfo] {
        const pgci::JobRequest found = pgci::read_any_window(fcinfo);
        pgci::return_rows(fcinfo, pgci::explain_run(found.job, found.request));
        return Datum{0};
    });
}

Datum copy_incremental_verify(PG_FUNCTION_ARGS) {
    return pgci::job_boundary(fcinfo, [fcinfo] {
        const pgci::NamedValues arguments(fcinfo);
        pgci::SetResult result(fcinfo);
        if (arguments.is_null("last_day") && arguments.is_null("ids")) {
            result.add(pgci::verify_window(pgci::read_job_request(fcinfo)));
            return Datum{0};
        }
        const pgci::Jobs jobs(pgci::extension_schema(fcinfo));
        const pgci::Job job = jobs.find(arguments.required_text("job"));
        pgci::verify_windows(job, jobs.request_of(job), pgci::read_named_windows(arguments),
                             [&](const pgci::TextRow &row) { result.add(row); });
        return Datum{0};
    });
}

Datum copy_incremental_verify_rows(PG_FUNCTION_ARGS) {
    return pgci::job_boundary(fcinfo, [fcinfo] {
        pgci::SetResult result(fcinfo);
        pgci::find_different_rows(pgci::read_job_request(fcinfo), [&](const char *difference, const std::string &key) {
            result.add({difference, key});
        });
        return Datum{0};
    });
}

} // extern "C"
