#include "target/merge_target.hpp"

#include <algorithm>

#include "server/guard.hpp"

namespace pgci {

namespace {

bool has_only_tables(Oid partitioned) {
    const List *const parts = find_all_inheritors(partitioned, NoLock, nullptr);
    for (int i = 0; i < list_length(parts); ++i) {
        const char kind = get_rel_relkind(list_nth_oid(parts, i));
        if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE) return false;
    }
    return true;
}

// A default that is computed for each row, such as that of a serial or identity column.
bool has_volatile_default(Oid table, const char *column) {
    const Relation relation = table_open(table, NoLock);
    const bool is_volatile = contain_volatile_functions(build_column_default(relation, get_attnum(table, column)));
    table_close(relation, NoLock);
    return is_volatile;
}

struct Kind {
    bool has_rules;
    bool has_children;
    bool fires_before_insert;
    bool queues_triggers;
};

Kind kind_of(Oid table) {
    const Relation relation = table_open(table, NoLock);
    const Form_pg_class form = relation->rd_rel;
    const TriggerDesc *const triggers = relation->trigdesc;
    Kind kind{.has_rules = form->relhasrules,
              .has_children = form->relkind == RELKIND_RELATION && form->relhassubclass,
              .fires_before_insert = triggers != nullptr && triggers->trig_insert_before_row,
              .queues_triggers = form->relkind != RELKIND_RELATION};
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i) {
        constexpr int16 before_row = 1 | 2; // TRIGGER_TYPE_ROW and TRIGGER_TYPE_BEFORE of pg_trigger.h
        if ((triggers->triggers[i].tgtype & before_row) != before_row) kind.queues_triggers = true;
    }
    table_close(relation, NoLock);
    return kind;
}

bool needs_only_new_rows(const Target &target, const std::vector<std::string> &filled) {
    return std::any_of(target.columns().begin(), target.columns().end(), [&](const TargetColumn &column) {
        if (column.is_generated || std::find(filled.begin(), filled.end(), column.name) != filled.end()) return false;
        if (!column.has_default) return column.is_not_null;
        return pg_call([oid = target.oid(), name = column.name.c_str()] { return has_volatile_default(oid, name); });
    });
}

} // namespace

MergeTarget look_at_merge_target(const Target &target, const std::vector<std::string> &filled) {
    if (!target.has_indexes()) return {};
    const Kind kind = pg_call([oid = target.oid()] { return kind_of(oid); });
    // INSERT ... ON CONFLICT finds no rows of inheriting tables.
    if (kind.has_rules || kind.has_children) return {};
    if (target.is_partitioned()) {
        if (!kind.fires_before_insert && !needs_only_new_rows(target, filled)) return {};
        if (!pg_call([oid = target.oid()] { return has_only_tables(oid); })) return {};
    }
    return {.is_possible = true, .queues_triggers = kind.queues_triggers};
}

} // namespace pgci
