// The boundary of an SQL function that takes the name of a job.
#pragma once

#include "request/job_context.hpp"
#include "request/named_values.hpp"

namespace pgci {

// Is sql_boundary, and names the job in the CONTEXT of errors, warnings and notices.
template <class Body> Datum job_boundary(FunctionCallInfo fcinfo, Body &&body) {
    return sql_boundary([&] {
        const JobContext context(NamedValues(fcinfo).optional_text("job").value_or(""));
        try {
            return body();
        } catch (const Error &error) {
            // Within the context
            raise(error.report());
        }
    });
}

} // namespace pgci
