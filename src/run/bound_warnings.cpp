#include "run/bound_warnings.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"
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

// Of the request, or the first one of its job.
ComparedSlice compare_slice_of(const CopyRequest &request) {
    const std::optional<SliceTexts> texts = slice_texts(request);
    const TimeZone zone = TimeZone::resolve(request.time_zone ? request.time_zone->c_str() : nullptr);
    std::optional<Window> window = request.window(zone);
    if (!window && request.grid) window = request.grid->window(request.grid->span_of(0));
    return texts && window ? compare_slice(*texts, *window, zone) : ComparedSlice{.fit = SliceFit::same};
}

} // namespace

std::optional<SliceTexts> slice_texts(const CopyRequest &request) {
    if (request.mode != Mode::replace || !request.replace_where) return std::nullopt;
    return SliceTexts{.query_template = request.query_template,
                      .window_column = request.window_column,
                      .replace_where = *request.replace_where,
                      .has_transform = request.transform.has_value()};
}

std::string find_unknown_slice(const CopyRequest &request) {
    if (compare_slice_of(request).fit != SliceFit::unknown) return "";
    return "it is not known whether replace_where selects the window of the query; rows in it that the query does not "
           "return are deleted";
}

std::vector<BoundWarning> find_bound_warnings(const CopyRequest &request) {
    std::vector<BoundWarning> warnings;
    if (!request.window_column) add_warning(warnings, "query template", request.query_template, BoundedText::query);
    if (request.replace_where) add_warning(warnings, "replace_where", *request.replace_where, BoundedText::condition);
    if (const ComparedSlice compared = compare_slice_of(request); compared.fit == SliceFit::maybe_different)
        warnings.push_back({.message = "replace_where may select another window than the query",
                            .hint = slice_texts(request)->hint(compared.column),
                            .detail = compared.detail()});
    return warnings;
}

std::string subject_of(const CopyRequest &request, const std::string &target) {
    return request.job.empty() ? target : "job \"" + shorten(request.job) + "\"";
}

void warn_of_bounds(const CopyRequest &request, const std::string &target) {
    for (const BoundWarning &warning : find_bound_warnings(request)) {
        const std::string text = subject_of(request, target) + ": " + warning.message;
        const char *const message = text.c_str();
        const char *const detail = warning.detail.c_str();
        const char *const hint = warning.hint.c_str();
        pg_call([=] {
            ereport(WARNING, (errcode(ERRCODE_WARNING), errmsg_internal("%s", message),
                              *detail != '\0' ? errdetail_internal("%s", detail) : 0, errhint("%s", hint)));
        });
    }
}

} // namespace pgci
