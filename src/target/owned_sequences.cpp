#include "target/owned_sequences.hpp"

#include "server/sql_text.hpp"
#include "server/text_rows.hpp"

namespace pgci {

std::vector<OwnedSequence> find_owned_sequences(const Target &target, const std::vector<std::string> &columns) {
    const std::vector<TextRow> rows = select_rows(
        "SELECT s.seqrelid, pg_catalog.format('%I.%I', n.nspname, c.relname), a.attname, s.seqincrement "
        "OPERATOR(pg_catalog.>) 0, s.seqmin, s.seqmax, EXISTS (SELECT FROM pg_catalog.pg_index AS i JOIN "
        "pg_catalog.pg_attribute AS k ON k.attrelid OPERATOR(pg_catalog.=) i.indrelid AND k.attnum "
        "OPERATOR(pg_catalog.=) i.indkey[0] WHERE i.indrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND k.attname "
        "OPERATOR(pg_catalog.=) a.attname AND i.indisvalid AND i.indpred IS NULL) FROM pg_catalog.pg_attribute AS a "
        "JOIN pg_catalog.pg_depend AS d ON d.refclassid OPERATOR(pg_catalog.=) "
        "'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid OPERATOR(pg_catalog.=) a.attrelid AND "
        "d.refobjsubid OPERATOR(pg_catalog.=) a.attnum::pg_catalog.int4 AND d.classid OPERATOR(pg_catalog.=) "
        "'pg_catalog.pg_class'::pg_catalog.regclass JOIN pg_catalog.pg_sequence AS s ON s.seqrelid "
        "OPERATOR(pg_catalog.=) d.objid JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) s.seqrelid "
        "JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE (a.attrelid "
        "OPERATOR(pg_catalog.=) $1::pg_catalog.oid OR a.attrelid OPERATOR(pg_catalog.=) ANY (SELECT p.relid FROM "
        "pg_catalog.pg_partition_ancestors($1::pg_catalog.oid) AS p)) AND a.attname OPERATOR(pg_catalog.=) "
        "ANY ($2::pg_catalog.name[]) AND a.atttypid OPERATOR(pg_catalog.=) ANY "
        "('{smallint,integer,bigint}'::pg_catalog.regtype[]::pg_catalog.oid[]) ORDER BY a.attname, s.seqrelid",
        {std::to_string(target.oid()), array_literal(columns)});
    std::vector<OwnedSequence> sequences;
    sequences.reserve(rows.size());
    for (const TextRow &row : rows)
        sequences.push_back({.oid = static_cast<Oid>(std::stoul(row[0].value_or("0"))),
                             .name = row[1].value_or(""),
                             .column = row[2].value_or(""),
                             .is_ascending = row[3] == "t",
                             .least = row[4].value_or(""),
                             .most = row[5].value_or(""),
                             .has_index = row[6] == "t"});
    return sequences;
}

std::optional<std::int64_t> last_value_in(const Target &target, const OwnedSequence &sequence) {
    const std::string column = quote_identifier(sequence.column);
    const UsedRelation used = target.used_for(ACL_SELECT);
    const std::vector<TextRow> found =
        select_rows("SELECT pg_catalog." + std::string(sequence.is_ascending ? "max(" : "min(") + column + ") FROM " +
                        target.name() + " WHERE " + column + " OPERATOR(pg_catalog.>=) $1::pg_catalog.int8 AND " +
                        column + " OPERATOR(pg_catalog.<=) $2::pg_catalog.int8",
                    {sequence.least, sequence.most}, true, &used);
    if (!found[0][0]) return std::nullopt;
    return std::stoll(*found[0][0]);
}

} // namespace pgci
