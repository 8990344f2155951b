#include "target/behind_sequence.hpp"

#include "server/sql_text.hpp"
#include "server/text_rows.hpp"

namespace pgci {

std::string find_behind_sequence(const Target &target, const TargetColumn &column) {
    const std::vector<TextRow> sequences = select_rows(
        "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), coalesce(pg_catalog.pg_sequence_last_value(c.oid), "
        "s.seqstart OPERATOR(pg_catalog.-) 1) FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_depend AS d ON "
        "d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid "
        "OPERATOR(pg_catalog.=) a.attrelid AND d.refobjsubid OPERATOR(pg_catalog.=) a.attnum::pg_catalog.int4 AND "
        "d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass JOIN pg_catalog.pg_sequence AS s "
        "ON s.seqrelid OPERATOR(pg_catalog.=) d.objid AND s.seqincrement OPERATOR(pg_catalog.>) 0 JOIN "
        "pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) s.seqrelid JOIN pg_catalog.pg_namespace AS n ON "
        "n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE a.attrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND "
        "a.attname OPERATOR(pg_catalog.=) $2::pg_catalog.name AND pg_catalog.has_column_privilege(a.attrelid, "
        "a.attnum, 'SELECT') AND CASE WHEN c.relkind OPERATOR(pg_catalog.=) 'S' THEN "
        // The planner may test it before the join with pg_sequence.
        "pg_catalog.has_sequence_privilege(c.oid, 'SELECT') ELSE false END AND EXISTS (SELECT FROM "
        "pg_catalog.pg_index AS i WHERE i.indrelid OPERATOR(pg_catalog.=) a.attrelid AND i.indkey[0] "
        "OPERATOR(pg_catalog.=) a.attnum AND i.indisvalid AND i.indpred IS NULL)",
        {std::to_string(target.oid()), column.name});
    if (sequences.empty()) return "";
    const std::string sequence = sequences[0][0].value_or("");
    const UsedRelation used = target.used_for(ACL_SELECT);
    const std::string largest = "pg_catalog.max(" + quote_identifier(column.name) + ")";
    const std::vector<TextRow> found = select_rows("SELECT " + largest + " FROM " + target.name() + " HAVING " +
                                                       largest + " OPERATOR(pg_catalog.>) $1::pg_catalog.int8",
                                                   {sequences[0][1].value_or("0")}, false, &used);
    if (found.empty()) return "";
    return "sequence " + sequence + " is behind: it would return values up to " + found[0][0].value_or("") +
           " that may be in the table; use setval()";
}

} // namespace pgci
