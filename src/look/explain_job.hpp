// What copy_incremental_explain() says about a job: its windows, and what is loaded of them.
#pragma once

#include "ledger/jobs.hpp"
#include "look/explanation.hpp"

namespace pgci {

void explain_job(Explanation &explanation, const Job &job, Oid schema);

} // namespace pgci
