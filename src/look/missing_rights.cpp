#include "look/missing_rights.hpp"

#include "server/compat.hpp"
#include "server/guard.hpp"
#include "server/named_relation.hpp"
#include "server/spi.hpp"

namespace pgci {

namespace {

constexpr std::array<std::pair<AclMode, const char *>, 4> rights{
    {{ACL_SELECT, "SELECT"}, {ACL_INSERT, "INSERT"}, {ACL_UPDATE, "UPDATE"}, {ACL_DELETE, "DELETE"}}};

// Returns the columns for which the user lacks the privilege. Empty also if the statement needs the privilege on the table
// itself.
char *missing_columns(const compat::NeededRights &needed, AclMode right, Oid user) {
    const Bitmapset *const columns = right == ACL_SELECT   ? needed.selected
                                     : right == ACL_INSERT ? needed.inserted
                                     : right == ACL_UPDATE ? needed.updated
                                                           : nullptr;
    StringInfoData list;
    initStringInfo(&list);
    for (int member = bms_next_member(columns, -1); member >= 0; member = bms_next_member(columns, member)) {
        const auto number = static_cast<AttrNumber>(member + FirstLowInvalidHeapAttributeNumber);
        if (number == InvalidAttrNumber) continue;
        if (pg_attribute_aclcheck(needed.relation, number, user, right) == ACLCHECK_OK) continue;
        appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "",
                         quote_identifier(get_attname(needed.relation, number, false)));
    }
    return list.data;
}

void append_missing(StringInfo text, const compat::NeededRights &needed) {
    const Oid user = OidIsValid(needed.user) ? needed.user : GetUserId();
    for (const auto &[right, name] : rights) {
        if ((needed.rights & right) == 0 || pg_class_aclcheck(needed.relation, user, right) == ACLCHECK_OK) continue;
        const char *const columns = missing_columns(needed, right, user);
        const bool has_columns = right != ACL_DELETE && columns[0] == '\0';
        if (has_columns && pg_attribute_aclcheck_all(needed.relation, user, right, ACLMASK_ANY) == ACLCHECK_OK)
            continue;
        appendStringInfo(text, "GRANT %s%s%s%s ON %s TO %s\n", name, columns[0] != '\0' ? " (" : "", columns,
                         columns[0] != '\0' ? ")" : "", qualified_name(needed.relation),
                         quote_identifier(GetUserNameFromId(user, false)));
    }
}

} // namespace

std::vector<std::string> find_missing_rights(const std::string &statement) {
    const char *const sql = statement.c_str();
    const char *const lines = pg_call([=] {
        const MemoryContext caller = CurrentMemoryContext;
        StringInfoData text;
        initStringInfo(&text);
        spi_connect();
        const SPIPlanPtr plan = spi_prepare(sql);
        const List *const sources = SPI_plan_get_plan_sources(plan);
        for (int i = 0; i < list_length(sources); ++i) {
            auto *const source = static_cast<CachedPlanSource *>(list_nth(sources, i));
            CachedPlan *const cached = GetCachedPlan(source, nullptr, nullptr, nullptr);
            for (int j = 0; j < list_length(cached->stmt_list); ++j)
                compat::for_each_needed_right(
                    static_cast<const PlannedStmt *>(list_nth(cached->stmt_list, j)),
                    [&](const compat::NeededRights &needed) { append_missing(&text, needed); });
            ReleaseCachedPlan(cached, nullptr);
        }
        const char *const found = MemoryContextStrdup(caller, text.data);
        spi_finish();
        return found;
    });
    std::vector<std::string> missing;
    for (std::string_view rest = lines; !rest.empty();) {
        const std::size_t end = rest.find('\n');
        missing.emplace_back(rest.substr(0, end));
        rest.remove_prefix(end + 1);
    }
    return missing;
}

} // namespace pgci
