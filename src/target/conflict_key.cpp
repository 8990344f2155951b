#include "target/conflict_key.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"

namespace pgci {

namespace {

// A unique index that ON CONFLICT can use: its columns in index order.
struct UniqueIndex {
    Oid oid = InvalidOid;
    bool usable = false;
    bool is_primary = false;
    bool nulls_conflict = false;
    int count = 0;
    AttrNumber columns[INDEX_MAX_KEYS] = {};
    Oid collations[INDEX_MAX_KEYS] = {};
    Oid classes[INDEX_MAX_KEYS] = {};
};

UniqueIndex describe_index(Oid oid) {
    UniqueIndex result;
    const HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(oid));
    if (!HeapTupleIsValid(tuple)) return result;
    result.oid = oid;
    const auto *const index = reinterpret_cast<Form_pg_index>(GETSTRUCT(tuple));
    result.usable = index->indisunique && index->indimmediate && index->indisvalid &&
                    heap_attisnull(tuple, Anum_pg_index_indpred, nullptr) &&
                    heap_attisnull(tuple, Anum_pg_index_indexprs, nullptr);
    result.is_primary = index->indisprimary;
    result.nulls_conflict = index->indnullsnotdistinct;
    result.count = index->indnkeyatts;
    bool is_null = false;
    const auto vector_of = [&](AttrNumber column) {
        return reinterpret_cast<const oidvector *>(
            DatumGetPointer(SysCacheGetAttr(INDEXRELID, tuple, column, &is_null)));
    };
    const oidvector *const collations = vector_of(Anum_pg_index_indcollation);
    const oidvector *const classes = vector_of(Anum_pg_index_indclass);
    for (int i = 0; i < result.count; ++i) {
        result.columns[i] = index->indkey.values[i];
        result.collations[i] = collations->values[i];
        result.classes[i] = classes->values[i];
    }
    ReleaseSysCache(tuple);
    return result;
}

// Returns the indexes of a table, allocated in memory of the transaction.
List *usable_indexes(Oid table) {
    List *result = NIL;
    const Relation relation = relation_open(table, NoLock);
    const List *const indexes = RelationGetIndexList(relation);
    for (int i = 0; i < list_length(indexes); ++i) {
        const UniqueIndex index = describe_index(list_nth_oid(indexes, i));
        if (!index.usable) continue;
        auto *const kept = static_cast<UniqueIndex *>(palloc(sizeof(UniqueIndex)));
        *kept = index;
        result = lappend(result, kept);
    }
    relation_close(relation, NoLock);
    return result;
}

std::vector<std::string> names_of(const UniqueIndex &index, Oid table) {
    std::vector<std::string> names;
    for (int i = 0; i < index.count; ++i) {
        const AttrNumber column = index.columns[i];
        names.emplace_back(pg_call([=] { return get_attname(table, column, false); }));
    }
    return names;
}

void check_exist(const Target &target, const std::vector<std::string> &names) {
    for (const std::string &name : names)
        if (target.find_column(name) == nullptr)
            raise(SqlState("42703"), "key column \"" + shorten(name) + "\" does not exist in target " + target.name());
}

// Returns "::type COLLATE collation" with the type's modifier: in numeric(10,2), 1.001 and 1.002 are equal.
std::string conversion_to(const TargetColumn &column, Oid collation) {
    const Oid type = column.type;
    const int typmod = column.typmod;
    std::string text = "::";
    text += pg_call(
        [=] { return format_type_extended(type, typmod, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY); });
    if (OidIsValid(collation)) text += " COLLATE ";
    if (OidIsValid(collation)) text += pg_call([=] { return generate_collation_name(collation); });
    return text;
}

// Returns the operators of a class, and the collation, by which an index compares a column.
ConflictKey::Order order_of(Oid operator_class, Oid collation) {
    struct Found {
        const char *schema = nullptr;
        const char *equal = nullptr;
        Oid less = InvalidOid;
        const char *collation = nullptr;
    };
    const Found found = pg_call([=] {
        Found result;
        const Oid family = get_opclass_family(operator_class);
        const Oid type = get_opclass_input_type(operator_class);
        const Oid equal = get_opfamily_member(family, type, type, BTEqualStrategyNumber);
        const HeapTuple tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(equal));
        if (!HeapTupleIsValid(tuple)) return result;
        const auto *const form = reinterpret_cast<Form_pg_operator>(GETSTRUCT(tuple));
        result.schema = ::quote_identifier(get_namespace_name(form->oprnamespace));
        result.equal = pstrdup(NameStr(form->oprname));
        result.less = get_opfamily_member(family, type, type, BTLessStrategyNumber);
        if (OidIsValid(collation)) result.collation = generate_collation_name(collation);
        ReleaseSysCache(tuple);
        return result;
    });
    if (found.equal == nullptr) return {};
    return {.equal = std::string("OPERATOR(") + found.schema + "." + found.equal + ")",
            .less = found.less,
            .collate = found.collation == nullptr ? "" : std::string(" COLLATE ") + found.collation,
            .collation = collation};
}

// `index` is null if it is unknown here.
ConflictKey make_key(const Target &target, std::vector<std::string> names, const UniqueIndex *index = nullptr) {
    ConflictKey key{.columns = std::move(names), .nulls_conflict = index != nullptr && index->nulls_conflict};
    for (std::size_t i = 0; i < key.columns.size(); ++i) {
        const TargetColumn &column = *target.find_column(key.columns[i]);
        key.conversions.push_back(conversion_to(column, index != nullptr ? index->collations[i] : column.collation));
        if (index != nullptr) key.order.push_back(order_of(index->classes[i], index->collations[i]));
    }
    key.has_nullable_columns = std::any_of(key.columns.begin(), key.columns.end(), [&](const std::string &name) {
        return !target.find_column(name)->is_not_null;
    });
    return key;
}

} // namespace

ConflictKey find_conflict_key(const Target &target, const std::optional<std::vector<std::string>> &key_columns) {
    const Oid table = target.oid();
    const List *const indexes = pg_call([=] { return usable_indexes(table); });
    std::vector<std::string> wanted;
    if (key_columns) {
        check_exist(target, *key_columns);
        wanted = *key_columns;
        std::sort(wanted.begin(), wanted.end());
    }
    for (int i = 0; i < list_length(indexes); ++i) {
        const auto &index = *static_cast<const UniqueIndex *>(list_nth(indexes, i));
        std::vector<std::string> names = names_of(index, table);
        std::vector<std::string> sorted = names;
        std::sort(sorted.begin(), sorted.end());
        if (key_columns ? sorted == wanted : index.is_primary) {
            ConflictKey key = make_key(target, std::move(names), &index);
            for (int j = 0; j < list_length(indexes); ++j) {
                const auto &other = *static_cast<const UniqueIndex *>(list_nth(indexes, j));
                std::vector<std::string> others = names_of(other, table);
                std::sort(others.begin(), others.end());
                if (others == sorted) key.indexes.push_back(other.oid);
            }
            return key;
        }
    }
    // The indexes of the table behind a view, or at another server, are unknown here.
    if (key_columns && !target.has_indexes()) return make_key(target, *key_columns);
    if (!key_columns)
        raise(sqlstate::no_such_key, "target " + target.name() + " has no primary key",
              "Add one, or pass key_columns => ARRAY['...'] with the columns of a unique index.");
    raise(sqlstate::no_such_key,
          "target " + target.name() + " has no unique index on (" + shorten_list(*key_columns) + ")",
          "Create one on exactly these columns, not partial and not deferrable, or pass other key_columns.");
}

std::vector<std::string> find_primary_key(Oid table) {
    if (!OidIsValid(table)) return {};
    // The lock is not kept: two runs that want to add a column to the table would wait for each other.
    const List *const indexes = pg_call([=]() -> const List * {
        const Relation relation = try_relation_open(table, AccessShareLock);
        if (relation == nullptr) return NIL;
        const List *const found = usable_indexes(table);
        relation_close(relation, AccessShareLock);
        return found;
    });
    for (int i = 0; i < list_length(indexes); ++i) {
        const auto &index = *static_cast<const UniqueIndex *>(list_nth(indexes, i));
        if (index.is_primary) return names_of(index, table);
    }
    return {};
}

void raise_null_key(const Target &target, const char *key) {
    ereport(ERROR,
            (errcode(ERRCODE_NOT_NULL_VIOLATION), errmsg("null value in a key column of %s", target.name().c_str()),
             errdetail("NULL conflicts with no row in the key (%s), so that each run would insert the row again.", key),
             errhint("Leave out such rows in the query, or make the index UNIQUE NULLS NOT DISTINCT.")));
    pg_unreachable();
}

} // namespace pgci
