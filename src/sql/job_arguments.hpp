// The arguments of the functions that take the name of a job.
#pragma once

#include "request/copy_request.hpp"
#include "ledger/jobs.hpp"

namespace pgci {

struct JobRequest {
    Job job;
    CopyRequest request;
};

// What the job of the argument "job" is asked to do for the window of "day" or "data_interval". A day of a job with windows
// of several days is the window that has it; of one with windows of hours, the whole day. Raises 22004 for a NULL, 42704 and
// 42501 as Jobs::find does, 42P01 and 42704 as Jobs::request_of does.
CopyRequest read_job_request(FunctionCallInfo fcinfo);

// The same without what Jobs::request_of finds: for a worker, which reads the definition itself.
CopyRequest read_job_window(FunctionCallInfo fcinfo);
// The same where the day may be NULL, or no argument: it is then the oldest window that is due and missing, else the first.
JobRequest read_any_window(FunctionCallInfo fcinfo);

} // namespace pgci
