#include "target/upsert.hpp"

#include <algorithm>

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "server/sql_text.hpp"
#include "target/conversion.hpp"

namespace pgci {

namespace {

bool contains(const std::vector<std::string> &names, const std::string &name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::size_t place_of(const BatchRelation &batch, const std::string &name) {
    return static_cast<std::size_t>(std::find(batch.columns.begin(), batch.columns.end(), name) -
                                    batch.columns.begin());
}

// The type of a column without its domain.
struct StoredType {
    Oid type = InvalidOid;
    int typmod = -1;
    Oid element = InvalidOid; // the type itself, or that of the elements of an array
};

StoredType stored_type(const TargetColumn &column) {
    return pg_call([&] {
        StoredType stored{.typmod = column.typmod};
        stored.type = getBaseTypeAndTypmod(column.type, &stored.typmod);
        const Oid element = get_element_type(stored.type);
        stored.element = OidIsValid(element) ? element : stored.type;
        return stored;
    });
}

// An assignment raises an error for values of these types that do not fit, and an explicit cast cuts them.
bool is_cut_by_cast(Oid type) { return type == VARCHAROID || type == BPCHAROID || type == BITOID || type == VARBITOID; }

// Returns whether the column stores values of the batch as other values of its type.
bool is_fitted(const StoredType &stored, const BatchRelation::ValueType &value) {
    return stored.typmod >= 0 && (stored.typmod != value.typmod || stored.type != value.type);
}

// Two values to compare: that of the target, and that of the batch as it would be stored.
std::pair<std::string, std::string> compared_values(std::string ours, const std::string &theirs,
                                                    const TargetColumn &column, const BatchRelation::ValueType &value) {
    const StoredType stored = stored_type(column);
    // Both must have the same type.
    if (stored.type != column.type) ours += "::" + qualified_type_name(stored.type);
    if (!is_fitted(stored, value)) return {ours, theirs};
    if (stored.element == BPCHAROID) {
        // Without the spaces that the column appends.
        const std::string text = stored.element == stored.type ? "::pg_catalog.text" : "::pg_catalog.text[]";
        return {ours + text, theirs + text};
    }
    if (is_cut_by_cast(stored.element)) return {ours, theirs};
    return {ours, theirs + "::" + qualified_type_name(stored.type, stored.typmod)};
}

std::vector<std::string> check_update_columns(const std::vector<std::string> &wanted, const Target &target,
                                              const BatchRelation &batch, const ConflictKey &key) {
    for (auto name = wanted.begin(); name != wanted.end(); ++name) {
        const std::string shown = "\"" + shorten(*name) + "\" of update_columns";
        if (target.find_column(*name) == nullptr)
            raise(sqlstate::undefined_column, "column " + shown + " does not exist in target " + target.name());
        if (contains(key.columns, *name))
            raise(sqlstate::invalid_parameter, "column " + shown + " is in the key",
                  "Leave it out: rows with the same key have the same value in it.");
        if (!contains(batch.columns, *name))
            raise(sqlstate::undefined_column, "column " + shown + " is not among the source columns",
                  "Add it to the query, or leave it out.");
        if (std::find(wanted.begin(), name, *name) != name)
            raise(sqlstate::duplicate_column, "column " + shown + " is named twice", "Name each column once.");
    }
    return wanted;
}

// A condition may name the target by its own name.
std::string alias_of(const CopyRequest &request, const Target &target) {
    if (!request.update_where) return "present";
    return quote_identifier(pg_call([oid = target.oid()] { return get_rel_name(oid); }));
}

std::string set_list(const std::vector<std::string> &names) {
    std::string set;
    for (const std::string &name : names) {
        const std::string quoted = quote_identifier(name);
        set.append(set.empty() ? "" : ", ").append(quoted).append(" = excluded.").append(quoted);
    }
    return set;
}

} // namespace

Upsert::Upsert(const CopyRequest &request, const Target &target, const BatchRelation &batch, const ConflictKey &key)
    : target_(target), batch_(batch), key_(key), alias_(alias_of(request, target)),
      where_(request.update_where ? " AND (" + *request.update_where + "\n)" : ""),
      updated_(check_update_columns(request.update_columns.value_or(std::vector<std::string>{}), target, batch, key)),
      order_(find_order()) {
    if (request.update_columns) return;
    for (const std::string &name : batch.columns)
        if (!contains(key.columns, name)) updated_.push_back(name);
}

std::vector<OrderColumn> Upsert::find_order() const {
    std::vector<OrderColumn> order;
    if (!batch_.with.empty() || key_.order.size() != key_.columns.size()) return {};
    for (std::size_t i = 0; i < key_.columns.size(); ++i) {
        const std::size_t place = place_of(batch_, key_.columns[i]);
        const BatchRelation::ValueType &value = batch_.types[place];
        const StoredType stored = stored_type(*target_.find_column(key_.columns[i]));
        // What is cut is an error, and spaces at the end of char(n) do not count.
        const bool is_as_stored =
            value.type == stored.type && (!is_fitted(stored, value) || is_cut_by_cast(stored.type));
        if (!is_as_stored || !key_.order[i].is_known()) return {};
        order.push_back({static_cast<int>(place), key_.order[i].less, key_.order[i].collation});
    }
    return order;
}

// Because INSERT ... ON CONFLICT must not affect a row twice. Keys are compared as in the target's index; a key that contains
// NULL is refused, unless the index is NULLS NOT DISTINCT.
std::string Upsert::rows() const {
    if (!order_.empty()) return "SELECT " + batch_.select_list() + " FROM " + batch_.from;
    const std::string ordinal = "ordered." + quote_identifier(batch_.ordinal);
    std::string distinct;
    for (std::size_t i = 0; i < key_.columns.size(); ++i)
        distinct += (i == 0 ? "" : ", ") + ("ordered." + quote_identifier(key_.columns[i])) + key_.conversions[i];
    return "SELECT DISTINCT ON (" + distinct + ") " + list_names(batch_.columns, "ordered.") + " FROM (SELECT " +
           batch_.select_list() + ", pg_catalog.row_number() OVER () AS " + quote_identifier(batch_.ordinal) +
           " FROM " + batch_.from + ") AS ordered ORDER BY " + distinct + ", " + ordinal + " DESC";
}

// Compares the stored form of rows: 1.0 and 1.00 differ, and no type needs an equality operator. Calls a function,
// because a distributing planner that deparses the statement turns an operator between rows into operators between
// columns.
std::string Upsert::differs(bool is_merge) const {
    std::string present;
    std::string excluded;
    for (const std::string &name : updated_) {
        const std::string column = "." + quote_identifier(name);
        std::pair<std::string, std::string> values{alias_ + column, "excluded" + column};
        if (is_merge)
            values = compared_values(values.first, values.second, *target_.find_column(name),
                                     batch_.types[place_of(batch_, name)]);
        present.append(present.empty() ? "" : ", ").append(values.first);
        excluded.append(excluded.empty() ? "" : ", ").append(values.second);
    }
    return "pg_catalog.record_image_ne(ROW(" + present + "), ROW(" + excluded + "))" + where_;
}

std::string Upsert::on_conflict() const {
    const std::string on = " ON CONFLICT (" + list_names(key_.columns) + ") DO ";
    if (updated_.empty()) return on + "NOTHING";
    return on + "UPDATE SET " + set_list(updated_) + " WHERE " + differs(false);
}

std::string Upsert::merge() const {
    std::string on;
    for (std::size_t i = 0; i < key_.columns.size(); ++i) {
        if (i >= key_.order.size() || !key_.order[i].is_known()) return "";
        const std::string column = quote_identifier(key_.columns[i]);
        on.append(i == 0 ? "" : " AND ").append(alias_ + "." + column + " " + key_.order[i].equal);
        on.append(" excluded." + column + key_.order[i].collate);
    }
    // Values of other types than those of the target become these, without a modifier, which the assignment applies.
    std::string converted;
    bool is_converted = false;
    for (std::size_t i = 0; i < batch_.columns.size(); ++i) {
        const std::string column = quote_identifier(batch_.columns[i]);
        const StoredType stored = stored_type(*target_.find_column(batch_.columns[i]));
        converted.append(i == 0 ? "" : ", ").append("of_batch." + column);
        if (stored.type == batch_.types[i].type) continue;
        is_converted = true;
        converted.append("::" + qualified_type_name(stored.type) + " AS " + column);
    }
    const std::string source = is_converted ? "SELECT " + converted + " FROM (" + rows() + ") AS of_batch" : rows();
    std::string merge =
        "MERGE INTO " + target_.name() + " AS " + alias_ + " USING (" + source + ") AS excluded ON " + on;
    if (!updated_.empty()) merge += " WHEN MATCHED AND " + differs(true) + " THEN UPDATE SET " + set_list(updated_);
    return merge + " WHEN NOT MATCHED THEN INSERT (" + list_names(batch_.columns) + ")" +
           (batch_.overrides_identity ? " OVERRIDING SYSTEM VALUE" : "") + " VALUES (" +
           list_names(batch_.columns, "excluded.") + ")";
}

} // namespace pgci
