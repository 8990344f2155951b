#include "request/job_context.hpp"

#include "server/shown_text.hpp"

namespace pgci {

JobContext::JobContext(const std::string &job)
    : job_(has_control_character(job) ? "" : shorten(job)), outer_(innermost), context_(show, this) {
    if (!job_.empty()) innermost = this;
}

JobContext::~JobContext() { innermost = outer_; }

void JobContext::show(void *argument) {
    const auto *const context = static_cast<const JobContext *>(argument);
    if (context == innermost) errcontext("job \"%s\"", context->job_.c_str());
}

} // namespace pgci
