#include "source/source_ids.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "server/sql_text.hpp"
#include "connection/question.hpp"
#include "source/open_transactions.hpp"

namespace pgci {

namespace {

constexpr std::int64_t most_sequences = 100;

// Returns a row for each sequence of which a column of a table, or of its partitions, has its values by default, or NULLs for a
// default that is something else, or none.
constexpr const char *sequence_inquiry = R"(WITH RECURSIVE tables(oid) AS (
  SELECT c.oid FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) $1::pg_catalog.oid
     AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'::pg_catalog."char"[])
  UNION ALL
  SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i JOIN tables AS t ON t.oid OPERATOR(pg_catalog.=) i.inhparent
), columns(oid, number, has_identity) AS (
  SELECT t.oid, a.attnum, a.attidentity OPERATOR(pg_catalog.<>) '' FROM tables AS t
    JOIN pg_catalog.pg_attribute AS o ON o.attrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid
     AND o.attnum OPERATOR(pg_catalog.=) $2::pg_catalog.int2
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid OPERATOR(pg_catalog.=) t.oid
     AND a.attname OPERATOR(pg_catalog.=) o.attname
), sequences(oid) AS (
  SELECT (SELECT e.objid FROM pg_catalog.pg_depend AS e
           WHERE e.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
             AND e.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
             AND e.refobjid OPERATOR(pg_catalog.=) c.oid AND e.refobjsubid OPERATOR(pg_catalog.=) c.number
             AND e.deptype OPERATOR(pg_catalog.=) 'i')
    FROM columns AS c WHERE c.has_identity AND c.oid OPERATOR(pg_catalog.=) $1::pg_catalog.oid
  UNION
  SELECT CASE WHEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) OPERATOR(pg_catalog.~) '^nextval\(''[^()]*''::regclass\)$'
              THEN e.refobjid END
    FROM columns AS c
    LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid OPERATOR(pg_catalog.=) c.oid AND d.adnum OPERATOR(pg_catalog.=) c.number
    LEFT JOIN pg_catalog.pg_depend AS e ON e.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_attrdef'::pg_catalog.regclass
     AND e.objid OPERATOR(pg_catalog.=) d.oid AND e.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
     AND e.deptype OPERATOR(pg_catalog.=) 'n'
   WHERE NOT c.has_identity AND (d.oid IS NOT NULL OR c.oid OPERATOR(pg_catalog.=) $1::pg_catalog.oid)
)
SELECT n.nspname, c.relname, s.seqincrement, s.seqcache, s.seqrelid,
       CASE WHEN pg_catalog.has_sequence_privilege(s.seqrelid, 'SELECT,USAGE') THEN 1 ELSE 0 END
  FROM sequences AS q
  LEFT JOIN pg_catalog.pg_sequence AS s ON s.seqrelid OPERATOR(pg_catalog.=) q.oid
  LEFT JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) s.seqrelid
  LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
 LIMIT 100)";

// Other sessions of this role and name are of the extension: they only read.
constexpr const char *sessions_inquiry = R"( UNION ALL
  SELECT 's' OPERATOR(pg_catalog.||) a.pid::pg_catalog.text FROM pg_catalog.pg_stat_activity AS a
   WHERE a.datname OPERATOR(pg_catalog.=) pg_catalog.current_database() AND a.usesysid IS NOT NULL
     AND a.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()
     AND NOT (a.application_name OPERATOR(pg_catalog.=) 'copy_incremental'
              AND a.usename OPERATOR(pg_catalog.=) current_user)
     AND coalesce(a.backend_type OPERATOR(pg_catalog.<>) 'walsender', true))";

constexpr std::int64_t least_int8 = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t most_int8 = std::numeric_limits<std::int64_t>::max();

bool is_in_recovery(SourceSession &source) {
    return ask(source.connection(),
               {.kind = "the question whether the source is a standby",
                .statement =
                    RemoteConnection::Statement{
                        .sql = "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN 1 ELSE 0 END"}})
               .integer(0, 0, 0, 1) == 1;
}

} // namespace

SourceIds::SourceIds(SourceSession &source, const TimeZone &zone, const SourceQuery &query, const SourceColumn &column)
    : source_(source), zone_(zone), query_(query), column_(column.name) {
    if (is_in_recovery(source))
        doubt_ =
            "The source is a standby, where transactions of the primary that have taken an id and not written are not "
            "visible.";
    const std::string shown = "column \"" + shorten(column_) + "\"";
    if (!OidIsValid(column.table)) {
        doubt_ =
            shown + " of the query is not a column of a table, so it is not known which sequence gives its values.";
        return;
    }
    const Answer found = ask(source.connection(),
                             {.kind = "the question about the sequence of a column",
                              .statement = RemoteConnection::Statement{.sql = sequence_inquiry,
                                                                       .parameters = {std::to_string(column.table),
                                                                                      std::to_string(column.number)}},
                              .columns = 6,
                              .least_rows = 0,
                              .most_rows = most_sequences,
                              .most_bytes = 512 * most_sequences,
                              .nullable = {0, 1, 2, 3, 4}});
    for (std::size_t i = 0; i < found.rows(); ++i)
        if (!found.is_null(i, 2) && found.integer(i, 2, least_int8, most_int8) < 0)
            raise(
                sqlstate::feature_not_supported, "values of " + shown + " descend, so they cannot be windows of ids",
                "Use a window_column that is a date or a timestamp, or copy the whole table with window_size => NULL.",
                "The increment of sequence " + found.name(i, 0) + "." + found.name(i, 1) + " is negative.");
    if (found.rows() != 1 || found.is_null(0, 0)) {
        doubt_ = found.rows() > 1 ? shown + " has its values from several sequences or defaults."
                                  : "No sequence is the default of " + shown + ".";
        return;
    }
    sequence_ = IdSequence{
        .name = found.name(0, 0) + "." + found.name(0, 1),
        .oid = static_cast<Oid>(found.integer(0, 4, 1, std::numeric_limits<std::uint32_t>::max())),
        .cache = found.integer(0, 3, 1, most_int8),
        .shows_last_value = found.integer(0, 5, 0, 1) == 1,
    };
    if (!sequence_->shows_last_value && doubt_.empty())
        doubt_ = "The source's role has no SELECT privilege on sequence " + sequence_->name +
                 ", so it cannot see which ids it has given.";
}

std::optional<IdExtent> SourceIds::extent() {
    const std::string value = "q." + quote_identifier(column_);
    const bool shows_last_value = sequence_ && sequence_->shows_last_value;
    const Answer found = ask(
        source_.connection(),
        {.kind = "the question about the highest id",
         .statement =
             RemoteConnection::Statement{
                 .sql = "SELECT pg_catalog.min(" + value + "), pg_catalog.max(" + value + "), " +
                        (shows_last_value ? "pg_catalog.pg_sequence_last_value(" + std::to_string(sequence_->oid) + ")"
                                          : "NULL") +
                        " FROM (" + query_.text() + "\n) AS q"},
         .columns = 3,
         .nullable = {0, 1, 2}});
    if (found.is_null(0, 0) || found.is_null(0, 1)) return std::nullopt;
    IdExtent extent{.lowest = found.integer(0, 0, least_int8, most_int8),
                    .highest = found.integer(0, 1, least_int8, most_int8)};
    if (shows_last_value)
        extent.last_given = found.is_null(0, 2) ? least_int8 : found.integer(0, 2, least_int8, most_int8);
    return extent;
}

std::set<std::string> SourceIds::open_transactions() {
    const bool may_hold_ids = sequence_ && sequence_->cache > 1;
    const Answer found =
        ask(source_.connection(),
            {.kind = "the question about open transactions",
             .statement =
                 RemoteConnection::Statement{.sql = std::string("SELECT pg_catalog.string_agg(id, ' ') FROM (SELECT id "
                                                                "FROM ") +
                                                    pgci::open_transactions + (may_hold_ids ? sessions_inquiry : "") +
                                                    ") AS each(id)"},
             .most_bytes = 4 << 20, // one value for each possible backend
             .nullable = {0}});
    return read_transactions(found, found.optional_text(0, 0).value_or(""));
}

void SourceIds::check_not_restarted(const std::optional<IdExtent> &extent, std::int64_t seen, bool is_given,
                                    const std::string &job) const {
    if (!extent) return;
    const bool are_rows_back = extent->highest < seen;
    const bool is_restarted =
        extent->last_given ? *extent->last_given < seen && (is_given || are_rows_back) : are_rows_back;
    if (!is_restarted) return;
    raise(sqlstate::ids_restarted, "the ids at the source of job \"" + job + "\" have begun again",
          std::string(extent->last_given ? ""
                                         : "If rows were deleted at the source, GRANT SELECT on the sequence to the "
                                           "source's role, so that it can see this. Otherwise: ") +
              "Empty the target, call copy_incremental_forget() for the job without ids, and load everything again.",
          "The highest id is " + std::to_string(extent->highest) +
              (extent->last_given ? ", the last that the sequence has given is " + std::to_string(*extent->last_given)
                                  : "") +
              ", and " + std::to_string(seen) + " was seen before.");
}

} // namespace pgci
