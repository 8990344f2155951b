#include "target/missing_privileges.hpp"

#include "server/compat.hpp"
#include "server/guard.hpp"
#include "server/named_relation.hpp"
#include "server/spi.hpp"

namespace pgci {

namespace {

constexpr std::array<std::pair<AclMode, const char *>, 4> privileges{
    {{ACL_SELECT, "SELECT"}, {ACL_INSERT, "INSERT"}, {ACL_UPDATE, "UPDATE"}, {ACL_DELETE, "DELETE"}}};

// Returns the columns for which the user lacks the privilege. Empty also if the statement needs the privilege on the table
// itself.
char *missing_columns(const compat::NeededRights &needed, AclMode privilege, Oid user) {
    const Bitmapset *const columns = privilege == ACL_SELECT   ? needed.selected
                                     : privilege == ACL_INSERT ? needed.inserted
                                     : privilege == ACL_UPDATE ? needed.updated
                                                               : nullptr;
    StringInfoData list;
    initStringInfo(&list);
    for (int member = bms_next_member(columns, -1); member >= 0; member = bms_next_member(columns, member)) {
        const auto number = static_cast<AttrNumber>(member + FirstLowInvalidHeapAttributeNumber);
        if (number == InvalidAttrNumber) continue;
        if (pg_attribute_aclcheck(needed.relation, number, user, privilege) == ACLCHECK_OK) continue;
        appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "",
                         ::quote_identifier(get_attname(needed.relation, number, false)));
    }
    return list.data;
}

// Returns whether any is missing.
bool append_missing(StringInfo text, const compat::NeededRights &needed) {
    const int before = text->len;
    const Oid user = OidIsValid(needed.user) ? needed.user : GetUserId();
    for (const auto &[privilege, name] : privileges) {
        if ((needed.rights & privilege) == 0 || pg_class_aclcheck(needed.relation, user, privilege) == ACLCHECK_OK)
            continue;
        const char *const columns = missing_columns(needed, privilege, user);
        const bool has_columns = privilege != ACL_DELETE && columns[0] == '\0';
        if (has_columns && pg_attribute_aclcheck_all(needed.relation, user, privilege, ACLMASK_ANY) == ACLCHECK_OK)
            continue;
        appendStringInfo(text, "GRANT %s%s%s%s ON %s TO %s\n", name, columns[0] != '\0' ? " (" : "", columns,
                         columns[0] != '\0' ? ")" : "", qualified_name(needed.relation),
                         ::quote_identifier(GetUserNameFromId(user, false)));
    }
    return text->len > before;
}

struct Found {
    StringInfoData lines{};
    Oid relation = InvalidOid;
};

bool find_in(Node *node, void *context) { // NOLINT(misc-no-recursion): as deep as the query
    if (node == nullptr) return false;
    if (!IsA(node, Query)) return expression_tree_walker(node, compat::tree_walker(find_in), context);
    auto *const query = reinterpret_cast<Query *>(node);
    auto *const found = static_cast<Found *>(context);
    compat::for_each_needed_right(query, [=](const compat::NeededRights &needed) {
        if (append_missing(&found->lines, needed) && !OidIsValid(found->relation)) found->relation = needed.relation;
    });
    return query_tree_walker(query, compat::tree_walker(find_in), context, 0);
}

// The rewriter has replaced views by their queries. Nothing is planned, because the planner executes functions.
Found look_at(const char *sql) {
    Found found;
    initStringInfo(&found.lines);
    spi_connect();
    const List *const sources = SPI_plan_get_plan_sources(spi_prepare(sql));
    for (int i = 0; i < list_length(sources); ++i)
        find_in(reinterpret_cast<Node *>(static_cast<const CachedPlanSource *>(list_nth(sources, i))->query_list),
                &found);
    spi_finish();
    return found;
}

} // namespace

AclMode needed_on_target(const CopyRequest &request) {
    AclMode needed = ACL_INSERT;
    if (request.repair) return needed | ACL_SELECT | ACL_UPDATE | (*request.repair == Deletes::apply ? ACL_DELETE : 0);
    if (request.mode == Mode::upsert) needed |= ACL_UPDATE;
    if (request.mode == Mode::replace) needed |= ACL_DELETE;
    const bool has_slice = request.mode == Mode::replace && (request.replace_where || request.window_column);
    if (has_slice || request.mode == Mode::upsert || request.mode == Mode::skip || request.verify ||
        request.sync_sequences)
        needed |= ACL_SELECT;
    return needed;
}

void MissingPrivileges::add(const MissingPrivileges &others) {
    if (!OidIsValid(relation)) relation = others.relation;
    grants.insert(grants.end(), others.grants.begin(), others.grants.end());
}

MissingPrivileges find_missing_privileges(const std::string &statement) {
    MissingPrivileges missing;
    if (statement.empty()) return missing;
    const Found found = pg_call([sql = statement.c_str()] { return look_at(sql); });
    missing.relation = found.relation;
    for (std::string_view rest = found.lines.data; !rest.empty();) {
        const std::size_t end = rest.find('\n');
        missing.grants.emplace_back(rest.substr(0, end));
        rest.remove_prefix(end + 1);
    }
    return missing;
}

void check_privileges(const LoadPlan &plan, const Target &target, AclMode needed, const MissingPrivileges &more) {
    const bool has_all =
        pg_call([=, oid = target.oid()] { return pg_class_aclmask(oid, GetUserId(), needed, ACLMASK_ALL) == needed; });
    MissingPrivileges missing;
    // A view and a transform also read other tables.
    if (!has_all || target.is_view() || !plan.transformed.empty()) {
        missing.add(find_missing_privileges(plan.statements.remove));
        missing.add(find_missing_privileges(plan.insert.empty() ? plan.statements.insert : plan.insert));
    }
    missing.add(more);
    std::string grants;
    for (auto grant = missing.grants.begin(); grant != missing.grants.end(); ++grant)
        if (std::find(missing.grants.begin(), grant, *grant) == grant) grants += (grants.empty() ? "" : "; ") + *grant;
    if (grants.empty()) return;
    pg_call([relation = missing.relation, text = grants.c_str()] { raise_denied(relation, text); });
}

} // namespace pgci
