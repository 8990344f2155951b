// The arguments of the functions that take the name of a job.
#pragma once

#include "request/copy_request.hpp"
#include "ledger/jobs.hpp"

namespace pgci {

struct JobRequest {
    Job job;
    CopyRequest request;
};

// Reads the request for the job in the argument "job" and the window in "day" or "data_interval". If windows of the job are
// longer than a day, "day" means the window that contains it. If they are shorter, it means the whole day. A job
// without windows has no window: "day" is NULL then. Raises 22004 for another
// NULL, 42704 and 42501 as Jobs::find does, 42P01 and 42704 as Jobs::request_of does.
CopyRequest read_job_request(FunctionCallInfo fcinfo);

// The same without what Jobs::request_of finds, for a worker that reads the definition itself.
CopyRequest read_job_window(FunctionCallInfo fcinfo);
// The same, but "day" may be NULL or missing. The window is then the oldest one that is due and missing, or else the first one.
JobRequest read_any_window(FunctionCallInfo fcinfo);

} // namespace pgci
