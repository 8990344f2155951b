#include "target/window_slice.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "server/sql_text.hpp"
#include "template/column_window.hpp"
#include "target/conversion.hpp"

namespace pgci {

namespace {

Oid base_type(const TargetColumn &column) {
    const Oid type = column.type;
    return pg_call([=] { return getBaseType(type); });
}

} // namespace

std::string slice_of_window(const Target &target, const Window &window, const std::string &column,
                            const WindowZones &zones) {
    const char *const hint =
        window.is_of_ids() ? "The target needs a column of this name of type smallint, integer or bigint."
                           : "Pass replace_where, the condition of the window's rows in the target, such as created_at "
                             ">= $1 AND created_at < $2.";
    const TargetColumn *const found = target.find_column(column);
    if (found == nullptr)
        raise(sqlstate::undefined_column,
              "window_column \"" + shorten(column) + "\" does not exist in target " + target.name(), hint);
    const Oid type = base_type(*found);
    if (!fits_column(window, type))
        raise(sqlstate::datatype_mismatch,
              "column \"" + shorten(column) + "\" of target " + target.name() + " is of type " +
                  type_text(found->type, found->typmod) + ", so the rows of the window are not known",
              hint);
    return window_of_column(window, type, zones.column, column).condition(quote_identifier(column));
}

void check_keeps_moments(const Target &target, const SourceColumn &column, const WindowZones &zones) {
    const TargetColumn *const into = target.find_column(column.name);
    if (into == nullptr || std::strcmp(zones.day.name(), zones.column.name()) == 0) return;
    const Oid type = base_type(*into);
    if (!has_day(type) || (column.type == TIMESTAMPTZOID) == (type == TIMESTAMPTZOID)) return;
    raise(sqlstate::datatype_mismatch,
          "window_column \"" + shorten(column.name) + "\" cannot be converted from " + type_text(column.type, -1) +
              " to " + type_text(type, -1),
          "Give the target's column the type of the source's, or convert it in the query with AT TIME ZONE.",
          std::string("Values are converted in time_zone, which is ") + zones.day.name() +
              ", but column_time_zone is " + zones.column.name() + ".");
}

} // namespace pgci
