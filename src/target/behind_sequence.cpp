#include "target/behind_sequence.hpp"

#include "server/sequence_position.hpp"
#include "server/sql_text.hpp"
#include "server/text_rows.hpp"
#include "target/owned_sequences.hpp"

namespace pgci {

namespace {

// The next value, the increment, and whether it was called; nothing if the user may not read the sequence and the column.
std::optional<TextRow> read_position(const Target &target, const OwnedSequence &sequence) {
    std::vector<TextRow> rows = select_rows(
        "SELECT coalesce(p.last, s.seqstart), p.last IS NOT NULL, s.seqincrement FROM pg_catalog.pg_sequence AS s "
        "CROSS "
        "JOIN LATERAL pg_catalog.pg_sequence_last_value(s.seqrelid) AS p(last) WHERE s.seqrelid "
        "OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND pg_catalog.has_sequence_privilege(s.seqrelid, 'SELECT') AND "
        "pg_catalog.has_column_privilege($2::pg_catalog.oid, $3, 'SELECT')",
        {std::to_string(sequence.oid), std::to_string(target.oid()), sequence.column});
    if (rows.empty()) return std::nullopt;
    return std::move(rows.front());
}

} // namespace

std::string find_behind_sequence(const Target &target, const TargetColumn &column) {
    for (const OwnedSequence &sequence : find_owned_sequences(target, {column.name})) {
        if (!sequence.has_index) continue;
        const std::optional<TextRow> position = read_position(target, sequence);
        if (!position) continue;
        const std::optional<std::int64_t> last = last_value_in(target, sequence);
        if (!last) continue;
        const SequencePosition now{std::stoll((*position)[0].value_or("0")), (*position)[1] == "t"};
        if (position_past(now, std::stoll((*position)[2].value_or("1")), *last) == now) continue;
        return "sequence " + sequence.name + " is behind: it would return values " +
               (sequence.is_ascending ? "up to " : "down to ") + std::to_string(*last) +
               " that may be in the table; pass sync_sequences => true, or use setval()";
    }
    return "";
}

} // namespace pgci
