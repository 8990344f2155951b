#include "target/shared_keys.hpp"

#include <algorithm>

#include "template/window_bounds.hpp"
#include "target/conflict_key.hpp"

namespace pgci {

bool windows_may_share_keys(const CopyRequest &request, Oid target) {
    if (request.mode != Mode::upsert || request.repair || request.update_where) return false;
    // A transform may store another value in the column.
    if (request.transform) return true;
    const std::string column =
        request.window_column ? *request.window_column : find_bounds(request.query_template, BoundedText::query).column;
    const std::vector<std::string> key = request.key_columns ? *request.key_columns : find_primary_key(target);
    return column.empty() || std::find(key.begin(), key.end(), column) == key.end();
}

} // namespace pgci
