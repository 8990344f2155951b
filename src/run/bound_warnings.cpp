#include "run/bound_warnings.hpp"

#include "server/guard.hpp"
#include "template/window_bounds.hpp"

namespace pgci {

namespace {

void add_warning(std::vector<BoundWarning> &warnings, const char *name, const std::string &text, BoundedText kind) {
    const WindowBounds bounds = find_bounds(text, kind);
    if (bounds.edge.empty()) return;
    warnings.push_back({.message = std::string(name) + " " + bounds.edge,
                        .hint = "Write " + half_open_condition(text, bounds.column) +
                                (kind == BoundedText::query ? ", or use window_column." : ".")});
}

} // namespace

std::vector<BoundWarning> find_bound_warnings(const CopyRequest &request) {
    std::vector<BoundWarning> warnings;
    if (!request.window_column) add_warning(warnings, "query template", request.query_template, BoundedText::query);
    if (request.replace_where) add_warning(warnings, "replace_where", *request.replace_where, BoundedText::condition);
    return warnings;
}

void warn_of_bounds(const CopyRequest &request) {
    for (const BoundWarning &warning : find_bound_warnings(request)) {
        const char *const message = warning.message.c_str();
        const char *const hint = warning.hint.c_str();
        pg_call(
            [=] { ereport(WARNING, (errcode(ERRCODE_WARNING), errmsg_internal("%s", message), errhint("%s", hint))); });
    }
}

} // namespace pgci
