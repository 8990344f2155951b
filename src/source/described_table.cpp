#include "source/described_table.hpp"

namespace pgci {

namespace {

constexpr int most_types = 16; // that one type is made of

// Returns, for each result column, a row for its type, and one for each type that this is made of. The column of a table says
// more than the result: that its type is a domain. Types that PostgreSQL numbers itself are not looked into. NOT NULL and the key
// count only where the source enforces them for every row that the table returns: a parent does not know of its children, and
// nobody of foreign tables.
constexpr const char *described_inquiry = R"(WITH RECURSIVE result AS (
SELECT u.place, c.oid AS tab, a.attnum, coalesce(a.atttypid, u.type) AS type,
    CASE WHEN a.attnum IS NULL THEN u.typmod ELSE a.atttypmod END AS typmod,
    coalesce(a.attnotnull AND e.is_enforced AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS n
        WHERE n.conrelid OPERATOR(pg_catalog.=) c.oid AND n.contype OPERATOR(pg_catalog.=) 'n' AND NOT n.convalidated
        AND a.attnum OPERATOR(pg_catalog.=) ANY (n.conkey)), false) AS not_null,
    CASE WHEN e.is_enforced THEN k.conkey END AS key
FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.int4[]),
    pg_catalog.unnest($3::pg_catalog.oid[]), pg_catalog.unnest($4::pg_catalog.int4[]))
    WITH ORDINALITY AS u(type, typmod, tab, num, place)
LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid OPERATOR(pg_catalog.=) u.tab
    AND a.attnum::pg_catalog.int4 OPERATOR(pg_catalog.=) u.num AND u.num OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
LEFT JOIN LATERAL (SELECT c.relkind OPERATOR(pg_catalog.=) 'p'
    OR c.relkind OPERATOR(pg_catalog.=) 'r' AND NOT c.relhassubclass) AS e(is_enforced) ON true
LEFT JOIN pg_catalog.pg_constraint AS k ON k.conrelid OPERATOR(pg_catalog.=) c.oid AND k.contype OPERATOR(pg_catalog.=) 'p'
), part AS (
SELECT r.place, 1 AS depth, r.type, r.typmod FROM result AS r
UNION ALL SELECT p.place, p.depth OPERATOR(pg_catalog.+) 1,
    CASE WHEN y.typtype OPERATOR(pg_catalog.=) 'd' THEN y.typbasetype ELSE y.typelem END,
    CASE WHEN y.typtype OPERATOR(pg_catalog.=) 'd' THEN y.typtypmod ELSE p.typmod END
FROM part AS p JOIN pg_catalog.pg_type AS y ON y.oid OPERATOR(pg_catalog.=) p.type
LEFT JOIN pg_catalog.pg_type AS e ON e.oid OPERATOR(pg_catalog.=) y.typelem AND e.typarray OPERATOR(pg_catalog.=) y.oid
WHERE p.depth OPERATOR(pg_catalog.<) $6::pg_catalog.int4
    AND y.oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) $5::pg_catalog.int8
    AND (y.typtype OPERATOR(pg_catalog.=) 'd' OR e.oid IS NOT NULL)
)
SELECT p.place,
    CASE WHEN y.typtype OPERATOR(pg_catalog.<>) 'd' AND e.oid IS NOT NULL THEN 'a' ELSE y.typtype::pg_catalog.text END,
    p.type, p.typmod, n.nspname, y.typname,
    CASE WHEN y.typtype OPERATOR(pg_catalog.=) 'e'
        THEN (SELECT pg_catalog.array_agg(l.enumlabel::pg_catalog.text)::pg_catalog.text FROM pg_catalog.pg_enum AS l
            WHERE l.enumtypid OPERATOR(pg_catalog.=) y.oid) END,
    CASE WHEN r.not_null THEN 1 ELSE 0 END,
    CASE WHEN p.depth OPERATOR(pg_catalog.=) 1 THEN pg_catalog.col_description(r.tab, r.attnum) END,
    coalesce(pg_catalog.array_position(r.key, r.attnum), 0), coalesce(pg_catalog.cardinality(r.key), 0),
    CASE WHEN p.place OPERATOR(pg_catalog.=) 1 AND p.depth OPERATOR(pg_catalog.=) 1
        THEN pg_catalog.obj_description(r.tab, 'pg_class') END
FROM part AS p JOIN result AS r ON r.place OPERATOR(pg_catalog.=) p.place
JOIN pg_catalog.pg_type AS y ON y.oid OPERATOR(pg_catalog.=) p.type
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) y.typnamespace
LEFT JOIN pg_catalog.pg_type AS e ON e.oid OPERATOR(pg_catalog.=) y.typelem AND e.typarray OPERATOR(pg_catalog.=) y.oid
ORDER BY p.place, p.depth)";

// The columns of the answer.
enum Place { place, kind, type, typmod, schema, name, labels, not_null, comment, key_place, key_size, table_comment };

constexpr std::int64_t most_oid = std::numeric_limits<std::uint32_t>::max();

template <class Value> std::string numbers(const std::vector<SourceColumn> &columns, Value &&value) {
    std::string list;
    for (const SourceColumn &column : columns)
        list.append(list.empty() ? "{" : ",").append(std::to_string(value(column)));
    return list + "}";
}

Answer ask_catalogs(SourceSession &source, const std::vector<SourceColumn> &columns) {
    constexpr std::int64_t most_bytes = std::int64_t{16} << 20;
    const auto count = static_cast<std::int64_t>(columns.size());
    return ask(source.connection(),
               {.kind = "the question about the columns' types",
                .statement =
                    RemoteConnection::Statement{
                        .sql = described_inquiry,
                        .parameters = {numbers(columns, [](const SourceColumn &column) { return column.type; }),
                                       numbers(columns, [](const SourceColumn &column) { return column.typmod; }),
                                       numbers(columns, [](const SourceColumn &column) { return column.table; }),
                                       numbers(columns, [](const SourceColumn &column) { return column.number; }),
                                       std::to_string(FirstGenbkiObjectId), std::to_string(most_types)}},
                .columns = table_comment + 1,
                .least_rows = count,
                .most_rows = most_types * count,
                .most_bytes = most_bytes,
                .nullable = {labels, comment, table_comment}});
}

SourceType read_type(const Answer &answer, std::size_t row) {
    const std::string &letter = answer.text(row, kind);
    if (letter.size() != 1) answer.raise_wrong("a kind of type of " + std::to_string(letter.size()) + " bytes");
    constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
    return {.kind = letter[0],
            .oid = static_cast<Oid>(answer.integer(row, type, 1, most_oid)),
            .typmod = static_cast<int>(answer.integer(row, typmod, std::numeric_limits<std::int32_t>::min(), most)),
            .schema = answer.name(row, schema),
            .name = answer.name(row, name),
            .labels = answer.optional_text(row, labels).value_or("")};
}

// Puts a column of the key into its place; `key` has as many places as the source says.
void add_to_key(std::vector<std::string> &key, const Answer &answer, std::size_t row, const std::string &column) {
    const std::int64_t size = answer.integer(row, key_size, 0, INDEX_MAX_KEYS);
    const std::int64_t at = answer.integer(row, key_place, 0, size);
    if (at == 0) return;
    key.resize(static_cast<std::size_t>(size));
    key[static_cast<std::size_t>(at - 1)] = column;
}

} // namespace

DescribedTable describe_table(SourceSession &source, const std::vector<SourceColumn> &columns, bool reads_one_table) {
    const Answer answer = ask_catalogs(source, columns);
    DescribedTable table;
    std::vector<std::string> key;
    for (std::size_t row = 0; row < answer.rows(); ++row) {
        const auto number =
            static_cast<std::size_t>(answer.integer(row, place, 1, static_cast<std::int64_t>(columns.size())));
        if (number == table.columns.size() + 1) {
            const std::string &column = columns[number - 1].name;
            table.columns.push_back({.name = column,
                                     .types = {},
                                     .is_not_null = reads_one_table && answer.integer(row, not_null, 0, 1) == 1,
                                     .comment = answer.optional_text(row, comment)});
            add_to_key(key, answer, row, column);
        } else if (row == 0 || number != table.columns.size()) {
            answer.raise_wrong("column " + std::to_string(number) + " out of order");
        }
        table.columns.back().types.push_back(read_type(answer, row));
    }
    if (table.columns.size() != columns.size())
        answer.raise_wrong(std::to_string(table.columns.size()) + " columns instead of " +
                           std::to_string(columns.size()));
    if (!reads_one_table || !OidIsValid(only_table(columns))) return table;
    table.comment = answer.optional_text(0, table_comment);
    if (std::find(key.begin(), key.end(), "") == key.end()) table.primary_key = std::move(key);
    return table;
}

} // namespace pgci
