#include "ledger/related_tables.hpp"

#include "server/guard.hpp"

namespace pgci {

namespace {

List *with_partitions(Oid table) {
    return get_rel_relkind(table) == RELKIND_PARTITIONED_TABLE ? find_all_inheritors(table, NoLock, nullptr)
                                                               : list_make1_oid(table);
}

List *ancestors_of(Oid table) { return get_rel_relispartition(table) ? get_partition_ancestors(table) : NIL; }

Oid root_of(Oid table) {
    const List *const ancestors = ancestors_of(table);
    return ancestors == NIL ? table : llast_oid(ancestors);
}

std::vector<std::string> texts_of(const List *tables) {
    std::vector<std::string> texts;
    texts.reserve(static_cast<std::size_t>(list_length(tables)));
    for (int i = 0; i < list_length(tables); ++i) texts.push_back(std::to_string(list_nth_oid(tables, i)));
    return texts;
}

} // namespace

Oid find_root(Oid target) {
    return pg_call([=] { return root_of(target); });
}

std::vector<std::string> find_parts(Oid target) {
    return texts_of(pg_call([=] { return with_partitions(target); }));
}

std::vector<std::string> find_tree(Oid target) {
    return texts_of(pg_call([=] { return with_partitions(root_of(target)); }));
}

std::vector<std::string> find_line(Oid target) {
    return texts_of(pg_call([=] { return list_concat(with_partitions(target), ancestors_of(target)); }));
}

} // namespace pgci
