#include "run/extra_rows.hpp"

#include "server/guard.hpp"
#include "server/memory.hpp"
#include "server/named_relation.hpp"
#include "server/spi.hpp"
#include "server/sql_text.hpp"
#include "server/text_rows.hpp"
#include "server/user_text.hpp"
#include "target/conversion.hpp"
#include "target/missing_privileges.hpp"

namespace pgci {

namespace {

constexpr std::size_t keys_at_once = 10000;
constexpr std::size_t bytes_at_once = 4 * 1024 * 1024;

// The relation as columns of the target are qualified in a DELETE from it.
std::string correlation_name(const Target &target) {
    return quote_identifier(pg_call([oid = target.oid()] { return get_rel_name(oid); }));
}

// A condition in the slice.
std::string in_slice(const std::string &slice, const std::string &condition) {
    return " WHERE " + (slice.empty() ? "" : "(" + slice + "\n) AND ") + condition;
}

// A condition on q as one on the target.
std::string on_target(const Target &target, const std::string &condition) {
    const std::string present = correlation_name(target);
    std::string columns;
    for (const TargetColumn &column : target.columns())
        columns.append(columns.empty() ? "" : ", ").append(present + "." + quote_identifier(column.name));
    return "EXISTS (SELECT FROM (SELECT " + columns + ") AS q WHERE " + condition + ")";
}

std::int64_t execute_delete(const Target &target, const std::string &where) {
    const std::string statement = "DELETE FROM " + target.name() + where;
    try {
        return pg_call([sql = statement.c_str(), used = target.used_for(ACL_DELETE)] {
            spi_connect();
            spi_execute(spi_prepare(sql, used), used);
            const auto processed = static_cast<std::int64_t>(SPI_processed);
            spi_finish();
            return processed;
        });
    } catch (const PgError &error) {
        hide_statement(error.data(), statement);
        throw;
    }
}

// Counts rows, in a snapshot that is newer than the DELETE.
std::int64_t count_left(const Target &target, const std::string &where) {
    const UsedRelation read = target.used_for(ACL_SELECT);
    return std::stoll(*select_rows("SELECT pg_catalog.count(*) FROM " + target.name() + where, {}, true, &read)[0][0]);
}

// Returns the equality operator of the type's default index operator class.
std::string equality_of(const TargetColumn &column) {
    const Oid equal =
        pg_call([type = column.type] { return lookup_type_cache(getBaseType(type), TYPECACHE_EQ_OPR)->eq_opr; });
    const std::vector<TextRow> found = select_rows(
        "SELECT pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname) FROM pg_catalog.pg_operator AS o "
        "JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) o.oprnamespace WHERE o.oid "
        "OPERATOR(pg_catalog.=) $1::pg_catalog.oid",
        {std::to_string(equal)});
    if (found.empty())
        raise(sqlstate::feature_not_supported,
              "key column \"" + column.name + "\" has type " + type_text(column.type, column.typmod) +
                  ", which has no equality operator",
              "Pass other key_columns.");
    return *found[0][0];
}

} // namespace

ExtraKeys::ExtraKeys(const Target &target, const std::vector<std::string> &key, const std::string &slice)
    : target_(target), key_(key), slice_(slice) {
    const std::string present = correlation_name(target);
    for (std::size_t i = 0; i < key.size(); ++i) {
        const std::string ours = present + "." + quote_identifier(key[i]);
        const std::string gone = "copy_incremental_gone.c" + std::to_string(i);
        std::string equal = ours;
        equal.append(" ").append(equality_of(*target.find_column(key[i]))).append(" ").append(gone);
        keys_equal_.append(i == 0 ? "" : " AND ").append(equal);
        keys_not_distinct_.append(i == 0 ? "" : " AND ")
            .append("(")
            .append(equal)
            .append(" OR (")
            .append(ours)
            .append(" IS NULL AND ")
            .append(gone)
            .append(" IS NULL))");
    }
    check_may_delete(target, slice);
    pg_call([this] {
        const MemoryContext memory =
            AllocSetContextCreate(CurrentMemoryContext, "copy_incremental keys", ALLOCSET_DEFAULT_SIZES);
        const MemoryContext previous = MemoryContextSwitchTo(memory);
        store_ = tuplestore_begin_heap(false, false, work_mem);
        const TupleDesc columns = CreateTemplateTupleDesc(1);
        TupleDescInitEntry(columns, 1, "key", TEXTOID, -1, 0);
        slot_ = MakeSingleTupleTableSlot(columns, &TTSOpsMinimalTuple);
        MemoryContextSwitchTo(previous);
    });
}

std::string ExtraKeys::where_of(const std::vector<std::string> &keys, const std::string &keys_match) const {
    std::string columns;
    for (std::size_t i = 0; i < key_.size(); ++i)
        columns.append(i == 0 ? "" : ", ")
            .append("pg_catalog.json_object_field_text(k.key::pg_catalog.json, " + quote_literal(key_[i]) + ")::")
            .append(qualified_type_name(target_.find_column(key_[i])->type) + " AS c" + std::to_string(i));
    return in_slice(slice_, "EXISTS (SELECT FROM (SELECT " + columns + " FROM pg_catalog.unnest(" +
                                quote_literal(array_literal(keys)) +
                                "::pg_catalog.text[]) AS k(key)) AS copy_incremental_gone WHERE " + keys_match + ")");
}

void ExtraKeys::add(const std::string &key) {
    ++size_;
    pg_call([&] {
        bool is_null = false;
        Datum value = CStringGetTextDatum(key.c_str());
        tuplestore_putvalues(store_, slot_->tts_tupleDescriptor, &value, &is_null);
        pfree(DatumGetPointer(value));
    });
}

std::vector<std::string> ExtraKeys::take_some() {
    std::vector<std::string> keys;
    std::size_t bytes = 0;
    while (keys.size() < keys_at_once && bytes < bytes_at_once) {
        const char *const key = pg_call([this]() -> const char * {
            if (!tuplestore_gettupleslot(store_, true, false, slot_)) return nullptr;
            bool is_null = false;
            const char *const found = TextDatumGetCString(slot_getattr(slot_, 1, &is_null));
            ExecClearTuple(slot_); // its tuple is in memory of the caller
            return found;
        });
        if (key == nullptr) break;
        bytes += keys.emplace_back(key).size();
    }
    return keys;
}

Removal ExtraKeys::remove() {
    Removal removal;
    for (;;) {
        const TemporaryMemory memory;
        const std::vector<std::string> keys = take_some();
        if (keys.empty()) break;
        const std::int64_t deleted = execute_delete(target_, where_of(keys, keys_equal_));
        removal.deleted += deleted;
        // Another transaction may have deleted them, or moved them to another window.
        if (deleted < static_cast<std::int64_t>(keys.size()))
            removal.left += count_left(target_, where_of(keys, keys_not_distinct_));
    }
    pg_call([this] {
        ExecDropSingleTupleTableSlot(slot_);
        tuplestore_end(store_);
    });
    return removal;
}

Removal remove_in_slice(const Target &target, const std::string &slice, const std::string &condition,
                        std::int64_t wanted) {
    const std::string where = in_slice(slice, on_target(target, condition));
    const std::int64_t deleted = execute_delete(target, where);
    return {.deleted = deleted, .left = deleted < wanted ? count_left(target, where) : 0};
}

void check_may_delete(const Target &target, const std::string &slice) {
    const MissingPrivileges missing =
        find_missing_privileges("DELETE FROM " + target.name() + in_slice(slice, "false"));
    if (missing.grants.empty()) return;
    std::string grants;
    for (const std::string &grant : missing.grants) grants += (grants.empty() ? "" : "; ") + grant;
    pg_call([relation = missing.relation, text = grants.c_str()] { raise_denied(relation, text); });
}

} // namespace pgci
