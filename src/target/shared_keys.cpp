#include "target/shared_keys.hpp"

#include <algorithm>

#include "server/guard.hpp"
#include "template/template_statement.hpp"
#include "template/window_bounds.hpp"
#include "target/conflict_key.hpp"

namespace pgci {

std::string deciding_column(const CopyRequest &request) {
    if (request.window_column) return *request.window_column;
    // Otherwise the result may have another column of this name.
    if (!selects_plainly(request.query_template)) return "";
    return find_bounds(request.query_template, BoundedText::query).column;
}

// Returns whether the target stores the column as the source sends it: a day, or a local time that occurs twice, may be that of
// several windows.
static bool keeps_type(const CopyRequest &request, Oid target, const std::string &column) {
    const auto sent = std::find_if(request.known_columns.begin(), request.known_columns.end(),
                                   [&](const KnownColumn &known) { return known.name == column; });
    return sent != request.known_columns.end() && pg_call([target, type = sent->type, name = column.c_str()] {
               const AttrNumber number = get_attnum(target, name);
               return number != InvalidAttrNumber && getBaseType(get_atttype(target, number)) == type;
           });
}

bool windows_may_share_keys(const CopyRequest &request, Oid target) {
    if (request.mode != Mode::upsert || request.update_where) return false;
    // A transform may store another value in the column.
    if (request.transform) return true;
    const std::string column = deciding_column(request);
    const std::vector<std::string> key = request.key_columns ? *request.key_columns : find_primary_key(target);
    return column.empty() || std::find(key.begin(), key.end(), column) == key.end() ||
           !keeps_type(request, target, column);
}

} // namespace pgci
