#include "target/foreign_keys.hpp"

#include "server/sql_text.hpp"
#include "server/text_rows.hpp"

namespace pgci {

std::vector<ForeignKey> find_foreign_keys(const std::vector<Oid> &targets) {
    std::vector<std::string> oids;
    oids.reserve(targets.size());
    for (const Oid target : targets) oids.push_back(std::to_string(target));
    const std::vector<TextRow> rows = select_rows(
        "WITH t(n, relation) AS (SELECT u.n, m.relation FROM pg_catalog.unnest($1::pg_catalog.oid[]) WITH ORDINALITY "
        "AS u(target, n) CROSS JOIN LATERAL (SELECT u.target UNION SELECT p.relid::pg_catalog.oid FROM "
        "pg_catalog.pg_partition_tree(u.target::pg_catalog.regclass) AS p) AS m(relation)) "
        "SELECT DISTINCT c.n OPERATOR(pg_catalog.-) 1, p.n OPERATOR(pg_catalog.-) 1, k.condeferrable, "
        "pg_catalog.format('%I.%I', s.nspname, k.conname), pg_catalog.format('\"%s\" of table %I.%I', k.conname, "
        "s.nspname, r.relname) FROM pg_catalog.pg_constraint AS k JOIN t AS c ON c.relation OPERATOR(pg_catalog.=) "
        "k.conrelid JOIN t AS p ON p.relation OPERATOR(pg_catalog.=) k.confrelid JOIN pg_catalog.pg_class AS r ON "
        "r.oid OPERATOR(pg_catalog.=) k.conrelid JOIN pg_catalog.pg_namespace AS s ON s.oid OPERATOR(pg_catalog.=) "
        "k.connamespace WHERE k.contype OPERATOR(pg_catalog.=) 'f' AND c.n OPERATOR(pg_catalog.<>) p.n AND "
        // What a partition has inherited is named by its parent, unless that is no target.
        "NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS i JOIN t AS ic ON ic.relation OPERATOR(pg_catalog.=) "
        "i.conrelid AND ic.n OPERATOR(pg_catalog.=) c.n JOIN t AS ip ON ip.relation OPERATOR(pg_catalog.=) "
        "i.confrelid AND ip.n OPERATOR(pg_catalog.=) p.n WHERE i.oid OPERATOR(pg_catalog.=) k.conparentid) ORDER BY "
        "1, 2, 4, 5",
        {array_literal(oids)});
    std::vector<ForeignKey> keys;
    keys.reserve(rows.size());
    for (const TextRow &row : rows)
        keys.push_back({.child = std::stoul(row[0].value_or("0")),
                        .parent = std::stoul(row[1].value_or("0")),
                        .is_deferrable = row[2] == "t",
                        .constraint = row[3].value_or(""),
                        .name = row[4].value_or("")});
    // Two jobs of one table: the key of the table to itself is of neither.
    std::erase_if(keys, [&](const ForeignKey &key) { return targets[key.child] == targets[key.parent]; });
    return keys;
}

} // namespace pgci
