#include "run/transform_warning.hpp"

#include "server/guard.hpp"
#include "target/worker_settings.hpp"
#include "run/bound_warnings.hpp"

namespace pgci {

namespace {

constexpr const char *hint =
    "Write column AT TIME ZONE 'zone' where the transform makes a date or a text of a time, or "
    "set the same values there, for example with ALTER ROLE.";

std::string find_settings(const PreparedRun &run, const LoadPlan &plan) {
    return plan.transformed.empty() ? "" : find_other_settings(plan.transformed, run.zone());
}

} // namespace

std::string find_transform_warning(const PreparedRun &run, const LoadPlan &plan) {
    const std::string settings = find_settings(run, plan);
    return settings.empty()
               ? ""
               : "other servers execute the transform with settings of their own: " + settings + ". " + hint;
}

void warn_of_transform(const PreparedRun &run, const LoadPlan &plan) {
    const std::string settings = find_settings(run, plan);
    if (settings.empty()) return;
    const std::string subject = subject_of(run.request(), run.target().name());
    pg_call([&, name = subject.c_str(), text = settings.c_str()] {
        ereport(WARNING, (errcode(ERRCODE_WARNING),
                          errmsg("%s: other servers execute the transform with settings of their own", name),
                          errdetail("%s.", text), errhint("%s", hint)));
    });
}

} // namespace pgci
