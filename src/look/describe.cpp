#include "look/describe.hpp"

#include "server/guard.hpp"
#include "source/source_names.hpp"
#include "target/behind_sequence.hpp"
#include "target/conversion.hpp"
#include "target/load_plan.hpp"
#include "target/precision.hpp"
#include "rows/copy_plan.hpp"
#include "run/prepared_run.hpp"

namespace pgci {

namespace {

constexpr const char *fails = "; the run fails";

struct ColumnLine {
    std::optional<std::string> source_column{};
    std::optional<std::string> source_type{};
    std::optional<std::string> travels{};
    std::optional<std::string> target_column{};
    std::optional<std::string> target_type{};
    std::string conversion{};
    std::string note{};

    TextRow row() const {
        const auto unless_empty = [](const std::string &text) {
            return text.empty() ? std::nullopt : std::optional(text);
        };
        return {source_column,     source_type, travels, target_column, target_type, unless_empty(conversion),
                unless_empty(note)};
    }
};

bool has_column(const std::vector<SourceColumn> &columns, const std::string &name) {
    return std::any_of(columns.begin(), columns.end(), [&](const SourceColumn &column) { return column.name == name; });
}

// Returns the columns that can be mapped: the first of each name; with a target, only those that exist there and are not
// generated.
std::vector<SourceColumn> without_failing(const std::vector<SourceColumn> &columns, const Target *target) {
    std::vector<SourceColumn> mapped;
    for (const SourceColumn &column : columns) {
        if (has_column(mapped, column.name)) continue;
        const TargetColumn *const into = target != nullptr ? target->find_column(column.name) : nullptr;
        if (target == nullptr || (into != nullptr && !into->is_generated)) mapped.push_back(column);
    }
    return mapped;
}

void add_note(ColumnLine &line, const std::string &note) { line.note += (line.note.empty() ? "" : "; ") + note; }

// Fills in the target's part of a line. `from` is the type of the column in the batch.
void describe_target_side(ColumnLine &line, const SourceColumn &column, Oid from, const Target &target,
                          const CopyRequest &request) {
    const TargetColumn *const into = target.find_column(column.name);
    if (into == nullptr) {
        add_note(line,
                 "missing in the target" + std::string(request.on_new_column == OnNewColumn::error ? fails
                                                       : request.on_new_column == OnNewColumn::add ? "; the run adds it"
                                                                                                   : "; left out"));
        return;
    }
    line.target_column = into->name;
    line.target_type = type_text(into->type, into->typmod);
    if (into->is_generated) {
        add_note(line, "left out, the target generates it");
        return;
    }
    if (into->is_identity_always) add_note(line, "identity, takes the source's value");
    if (const std::string behind = find_behind_sequence(target, *into); !behind.empty()) add_note(line, behind);
    if (!OidIsValid(from)) return;
    const Conversion conversion = find_conversion(from, *into);
    line.conversion = conversion.description;
    if (!conversion.exists) {
        add_note(line, std::string("cannot be stored") + fails);
        return;
    }
    const std::string lost = find_lost_precision(column, *into);
    if (lost.empty()) return;
    add_note(line, "loses precision: " + lost);
    if (request.window_column == column.name && rounds_seconds(column, *into))
        add_note(line, "rows that move out of their window are refused");
}

// Fills in the source's part of a line. `mapped` is null for a column that is not transferred.
ColumnLine describe_source_side(const SourceColumn &column, const std::string &type, const MappedColumn *mapped) {
    ColumnLine line{.source_column = column.name, .source_type = type};
    if (mapped != nullptr) line.travels = mapped->as_text ? "text" : "binary";
    if (column.type == OIDOID) line.note = "an OID of the source; of a large object, select its content with lo_get()";
    return line;
}

// For method copy: all columns may have to be transferred as text, and the source may have to cast some.
void describe_passage(ColumnLine &line, const CopyColumn &column, const CopyPlan &plan) {
    if (!plan.is_binary || column.passage == Passage::by_text) line.travels = "text";
    if (column.passage == Passage::by_cast)
        line.note = line.note.empty() ? "the source casts it" : "the source casts it; " + line.note;
    if (column.passage == Passage::not_possible) line.note = std::string("method copy cannot convert it") + fails;
}

const MappedColumn *find_mapped(const ColumnMap &map, const std::string &name) {
    for (const MappedColumn &column : map.columns)
        if (column.name == name) return &column;
    return nullptr;
}

// Describes the value of a target column without a source column: generated, identity, default, or NULL.
std::string describe_unfilled(const Target &target, const TargetColumn &column) {
    const std::vector<TextRow> found = select_rows(
        "SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.attidentity FROM pg_catalog.pg_attribute AS a LEFT JOIN "
        "pg_catalog.pg_attrdef AS d ON d.adrelid OPERATOR(pg_catalog.=) a.attrelid AND d.adnum OPERATOR(pg_catalog.=) "
        "a.attnum WHERE a.attrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND a.attname OPERATOR(pg_catalog.=) "
        "$2::pg_catalog.name",
        {std::to_string(target.oid()), column.name});
    const std::string expression = found.empty() ? "" : found[0][0].value_or("");
    if (column.is_generated) return "generated: " + expression;
    if (!found.empty() && !found[0][1].value_or("").empty()) return "identity: next value";
    const Oid type = column.type;
    if (!expression.empty()) return "default: " + expression;
    if (pg_call([=] { return get_typdefault(type); }) != nullptr) return "default of its type";
    if (target.is_view()) return "the view's table decides";
    return column.is_not_null ? "not among the source columns; NOT NULL without a default" : "NULL";
}

void add_unfilled(std::vector<TextRow> &rows, const std::vector<SourceColumn> &filled, const Target &target) {
    for (const TargetColumn &column : target.columns()) {
        if (has_column(filled, column.name)) continue;
        rows.push_back(ColumnLine{.target_column = column.name,
                                  .target_type = type_text(column.type, column.typmod),
                                  .note = describe_unfilled(target, column)}
                           .row());
    }
}

bool is_repeated(const std::vector<SourceColumn> &columns, std::size_t place) {
    return std::any_of(columns.begin(), columns.begin() + static_cast<std::ptrdiff_t>(place),
                       [&](const SourceColumn &column) { return column.name == columns[place].name; });
}

std::vector<TextRow> describe_direct(const CopyRequest &request, const std::vector<SourceColumn> &columns,
                                     const std::vector<std::string> &types, const Target &target) {
    const std::vector<SourceColumn> travelling = without_failing(columns, &target);
    const ColumnMap map = travelling.empty() ? ColumnMap{} : carry_to_target(travelling, target);
    std::optional<CopyPlan> copy;
    if (request.method == Method::copy) copy = find_copy_plan(map, target);
    std::vector<TextRow> rows;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        const MappedColumn *const mapped = find_mapped(map, columns[i].name);
        ColumnLine line = describe_source_side(columns[i], types[i], mapped);
        describe_target_side(line, columns[i], mapped != nullptr ? mapped->batch_type : InvalidOid, target, request);
        if (copy && mapped != nullptr)
            describe_passage(line, copy->columns[static_cast<std::size_t>(mapped - map.columns.data())], *copy);
        if (is_repeated(columns, i)) line.note = std::string("an earlier column has this name") + fails;
        rows.push_back(line.row());
    }
    add_unfilled(rows, columns, target);
    return rows;
}

std::vector<TextRow> describe_transformed(const CopyRequest &request, const std::vector<SourceColumn> &columns,
                                          const std::vector<std::string> &types, const Target &target) {
    const ColumnMap map = carry_to_transform(without_failing(columns, nullptr));
    std::vector<TextRow> rows;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        const MappedColumn *const mapped = find_mapped(map, columns[i].name);
        ColumnLine line = describe_source_side(columns[i], types[i], mapped);
        line.note = is_repeated(columns, i) ? std::string("an earlier column has this name") + fails
                                            : "batch." + columns[i].name + " " + type_text(mapped->batch_type, -1);
        rows.push_back(line.row());
    }
    const std::vector<SourceColumn> result = describe_transform(*request.transform, map, request.schema);
    for (std::size_t i = 0; i < result.size(); ++i) {
        ColumnLine line;
        describe_target_side(line, result[i], result[i].type, target, request);
        if (line.target_column == std::nullopt) line.target_column = result[i].name;
        if (is_repeated(result, i)) line.note = std::string("an earlier column has this name") + fails;
        const std::string origin = "transform, " + type_text(result[i].type, result[i].typmod);
        line.note = line.note.empty() ? origin : origin + "; " + line.note;
        rows.push_back(line.row());
    }
    add_unfilled(rows, result, target);
    return rows;
}

} // namespace

std::vector<TextRow> describe_columns(const CopyRequest &request) {
    PreparedRun run(request, TargetUse::look);
    run.open();
    const std::vector<SourceColumn> &columns = run.columns();
    const std::vector<std::string> types = type_names(run.source().connection(), columns);
    return request.transform ? describe_transformed(request, columns, types, run.target())
                             : describe_direct(request, columns, types, run.target());
}

} // namespace pgci
