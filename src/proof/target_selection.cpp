#include "proof/target_selection.hpp"

#include "server/guard.hpp"
#include "server/sql_text.hpp"
#include "template/parse_tree.hpp"
#include "template/written_relations.hpp"

namespace pgci {

namespace {

// A position in the text where a schema must be inserted.
struct Place {
    int position;
    const char *schema;
};

struct Places {
    Place *places;
    std::size_t count;
    bool has_expressions; // other than columns
};

// Ignores relations that this server does not have; the analysis raises an error for those.
Places find_places(const char *sql, Oid target) {
    auto *const statement = static_cast<const RawStmt *>(linitial(parse_statements(sql)))->stmt;
    const auto *const select = reinterpret_cast<const SelectStmt *>(statement);
    const List *const relations = find_written_relations(statement);
    auto *const places =
        static_cast<Place *>(palloc(sizeof(Place) * static_cast<std::size_t>(list_length(relations) + 1)));
    std::size_t count = 0;
    for (int i = 0; i < list_length(relations); ++i) {
        const auto *const relation = static_cast<const RangeVar *>(list_nth(relations, i));
        if (relation->schemaname != nullptr) continue;
        const bool is_target = relation == linitial(select->fromClause);
        const Oid found = is_target ? target : RangeVarGetRelid(relation, NoLock, true);
        const char *const schema = get_namespace_name(get_rel_namespace(found));
        if (schema != nullptr) places[count++] = {relation->location, schema};
    }
    return {places, count, select->whereClause != nullptr || select->sortClause != NIL};
}

} // namespace

TargetSelection select_by_query(const std::string &query, const Target &target) {
    const char *const sql = query.c_str();
    const Places found = pg_call([sql, oid = target.oid()] { return find_places(sql, oid); });
    std::sort(found.places, found.places + found.count,
              [](const Place &a, const Place &b) { return a.position > b.position; });
    std::string qualified = query;
    for (std::size_t i = 0; i < found.count; ++i)
        qualified.insert(static_cast<std::size_t>(found.places[i].position),
                         quote_identifier(found.places[i].schema) + ".");
    return {qualified, found.has_expressions ? NameSearch::catalog : NameSearch::session};
}

} // namespace pgci
