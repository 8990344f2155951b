// How a prepared run writes its rows, and how they are compared.
#include "run/prepared_run.hpp"

#include "server/sql_text.hpp"
#include "template/slice.hpp"
#include "target/conflict_key.hpp"
#include "target/precision.hpp"
#include "target/same_relation.hpp"
#include "target/shared_keys.hpp"
#include "target/typed_slice.hpp"
#include "target/window_slice.hpp"
#include "run/follow_source.hpp"

namespace pgci {

std::string PreparedRun::slice() const {
    if (request_.replace_where && key_.window)
        return typed_slice(*request_.replace_where, replace_where_, *target_, *key_.window, zone_);
    if (request_.replace_where || !request_.window_column) return replace_where_;
    return slice_of_window(*target_, *key_.window, *request_.window_column, {zone_, column_zone_});
}

std::string PreparedRun::verified_rows(const LoadPlan &plan) const {
    std::string columns;
    for (const std::string &column : plan.columns) columns += (columns.empty() ? "" : ", ") + quote_identifier(column);
    const std::string condition = slice();
    return "SELECT " + columns + " FROM " + target_->name() + (condition.empty() ? "" : " WHERE " + condition);
}

// A row that is rounded into the next window would be deleted by its replace, so it is refused in every mode.
std::string PreparedRun::slice_of_mode() const {
    const SourceColumn *const column = request_.transform ? nullptr : window_column();
    const TargetColumn *const into = column == nullptr ? nullptr : target_->find_column(column->name);
    return request_.mode == Mode::replace || (into != nullptr && rounds_seconds(*column, *into)) ? slice() : "";
}

LoadPlan PreparedRun::plan_of(const CopyRequest &request) const {
    check_not_itself(*source_, columns_, *target_);
    check_known_types(request_, columns_, *target_);
    if (const SourceColumn *const column = window_column(); column != nullptr && !request_.transform)
        check_keeps_moments(*target_, *column, {zone_, column_zone_});
    return make_plan(request, columns_, *target_, slice_of_mode());
}

LoadPlan PreparedRun::plan() const { return plan_of(request_); }

// A row that the source has moved must not stay in its old window, whose repair would delete it.
void PreparedRun::add_deciding_column(CopyRequest &request, const std::vector<std::string> &key) const {
    const std::string column = deciding_column(request);
    if (column.empty() && key_.window && request.repair == Deletes::apply)
        raise(sqlstate::feature_not_supported,
              "it is not known which column decides on the windows of " + target_->name(),
              "Use window_column, or pass deletes => 'ignore'.",
              "With update_columns, a repair could delete a row that the source has moved to another window.");
    std::vector<std::string> &names = *request.update_columns;
    if (target_->find_column(column) != nullptr && std::find(key.begin(), key.end(), column) == key.end() &&
        std::find(names.begin(), names.end(), column) == names.end())
        names.push_back(column);
}

LoadPlan PreparedRun::plan_of_repair(const std::vector<std::string> &key) const {
    CopyRequest request(request_);
    request.mode = key.empty() ? Mode::append : Mode::upsert;
    request.key_columns = key;
    if (request.update_columns) add_deciding_column(request, key);
    return plan_of(request);
}

// Other columns than update_columns need not be equal.
std::vector<SourceColumn> PreparedRun::compared_columns() const {
    std::vector<SourceColumn> compared = columns_;
    std::erase_if(compared, [](const SourceColumn &column) { return column.is_left_out; });
    if (!request_.update_columns) return compared;
    std::vector<std::string> names = request_.key_columns ? *request_.key_columns : find_primary_key(target_->oid());
    names.insert(names.end(), request_.update_columns->begin(), request_.update_columns->end());
    std::erase_if(compared, [&](const SourceColumn &column) {
        return std::find(names.begin(), names.end(), column.name) == names.end();
    });
    return compared;
}

Comparison PreparedRun::comparison(const std::vector<std::string> &key) {
    return make_comparison(*source_, *query_, compared_columns(), *target_, slice(), window_text(), key, zone_);
}

void PreparedRun::plan_again(LoadPlan &plan) {
    target_->open_again();
    replan(plan, request_, columns_, *target_, slice_of_mode());
}

} // namespace pgci
