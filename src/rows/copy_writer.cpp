#include "rows/copy_writer.hpp"

#include "server/compat.hpp"
#include "server/guard.hpp"
#include "server/settings.hpp"
#include "server/spi.hpp"
#include "target/load_plan.hpp"
#include "target/target_slice.hpp"
#include "rows/batch_reader.hpp"

namespace pgci {

namespace {

// The input of COPY FROM. COPY FROM buffers up to 1,000 rows or 64 kB of lines. Binary rows have no lines, so their
// size would not be limited. This class sets line lengths so that the buffer stays within max_batch_bytes.
class DataOfRun {
  public:
    explicit DataOfRun(SourceCopy &data) : data_(data) { current = this; }
    ~DataOfRun() { current = nullptr; }
    DataOfRun(const DataOfRun &) = delete;
    DataOfRun &operator=(const DataOfRun &) = delete;

    // The callback of COPY FROM has no user argument, hence the static pointer. A nested run has been refused before.
    static int read_data(void *buffer, int, int size) {
        return DatumGetInt32(
            sql_boundary([=] { return Int32GetDatum(current->read(static_cast<char *>(buffer), size)); }));
    }

    // Enables the limit for binary rows.
    void weigh_rows(CopyFromState copy) {
        if (copy->opts.binary) copy_ = copy;
    }

  private:
    int read(char *buffer, int size) {
        const std::int64_t before = data_.rows();
        const int bytes = data_.read(buffer, size);
        if (copy_ == nullptr) return bytes;
        // Adds the bytes to the rows that end with them.
        bytes_ += bytes;
        const std::int64_t rows = data_.rows() - before;
        constexpr std::int64_t held_by_copy = 65536;
        constexpr std::int64_t copies = 2; // as values and as a tuple
        const std::int64_t length = bytes_ / std::max<std::int64_t>(rows, 1) * copies * held_by_copy / max_batch_bytes;
        copy_->line_buf.len = static_cast<int>(std::min(length, held_by_copy));
        if (rows > 0) bytes_ = 0;
        return bytes;
    }

    static inline DataOfRun *current = nullptr;

    SourceCopy &data_;
    CopyFromState copy_ = nullptr;
    std::int64_t bytes_ = 0; // bytes since the row began
};

[[noreturn]] void refuse(Relation relation, const char *detail) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("method copy cannot write to \"%s\"", RelationGetRelationName(relation)),
                    errdetail("%s", detail), errhint("Use method => 'cursor'.")));
    pg_unreachable();
}

void check_rules(Relation relation) {
    const RuleLock *const rules = relation->rd_rules;
    for (int i = 0; rules != nullptr && i < rules->numLocks; ++i)
        if (rules->rules[i]->event == CMD_INSERT && rules->rules[i]->enabled != RULE_DISABLED)
            refuse(relation, "It has a rule for INSERT, which COPY would not apply.");
}

void check_kind(Relation relation) {
    if (relation->rd_rel->relkind == RELKIND_VIEW &&
        (relation->trigdesc == nullptr || !relation->trigdesc->trig_insert_instead_row))
        refuse(relation, "It is a view without an INSTEAD OF INSERT trigger.");
    if (check_enable_rls(RelationGetRelid(relation), InvalidOid, false) == RLS_ENABLED)
        refuse(relation, "Its row-level security applies to you.");
    check_rules(relation);
}

// Finding rows outside the slice requires that xmin and cmin identify the rows that this COPY wrote.
void check_rows_tell_writer(Relation relation) {
    const List *const relations = find_all_inheritors(RelationGetRelid(relation), AccessShareLock, nullptr);
    for (int i = 0; i < list_length(relations); ++i) {
        const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(list_nth_oid(relations, i)));
        if (!HeapTupleIsValid(tuple)) continue;
        const auto *const form = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
        const bool tells = form->relkind == RELKIND_PARTITIONED_TABLE ||
                           (form->relkind == RELKIND_RELATION && form->relam == HEAP_TABLE_AM_OID);
        ReleaseSysCache(tuple);
        if (!tells)
            refuse(relation,
                   "With replace_where, rows outside the slice can be detected only in tables, not in views or "
                   "foreign tables.");
    }
}

// Adds the target to a parse state and checks the INSERT privilege.
void add_target(ParseState *state, Relation relation, const List *names) {
    ParseNamespaceItem *const item =
        addRangeTableEntryForRelation(state, relation, RowExclusiveLock, nullptr, false, false);
    Bitmapset *columns = nullptr;
    const List *const numbers = CopyGetAttnums(RelationGetDescr(relation), relation, const_cast<List *>(names));
    for (int i = 0; i < list_length(numbers); ++i)
        columns = bms_add_member(columns, list_nth_int(numbers, i) - FirstLowInvalidHeapAttributeNumber);
    compat::check_may_insert(state, item, columns);
}

List *column_names(const CopyPlan &plan) {
    List *names = NIL;
    for (const CopyColumn &column : plan.columns) names = lappend(names, makeString(pstrdup(column.name.c_str())));
    return names;
}

// COPY stores NULL in a column that is not sent and has no default, even if its domain does not allow NULL.
void check_unsent_columns(Relation relation, const List *sent) {
    const TupleDesc description = RelationGetDescr(relation);
    for (int i = 0; i < description->natts; ++i) {
        const Form_pg_attribute column = TupleDescAttr(description, i);
        if (column->attisdropped || column->atthasdef || column->attidentity != '\0') continue;
        if (!DomainHasConstraints(column->atttypid) || get_typdefault(column->atttypid) != nullptr) continue;
        bool is_sent = false;
        for (int j = 0; j < list_length(sent); ++j)
            if (std::strcmp(strVal(list_nth(sent, j)), NameStr(column->attname)) == 0) is_sent = true;
        if (!is_sent)
            ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                            errmsg("method copy cannot leave out column \"%s\", whose domain may not allow NULL",
                                   NameStr(column->attname)),
                            errhint("Use method => 'cursor', or select the column.")));
    }
}

List *copy_options(const CopyPlan &plan) {
    const auto option = [](const char *name, const char *value) {
        return makeDefElem(pstrdup(name), reinterpret_cast<Node *>(makeString(pstrdup(value))), -1);
    };
    DefElem *const format = option("format", format_name(plan));
    if (plan.is_binary) return list_make1(format);
    return list_make2(format, option("encoding", GetDatabaseEncodingName()));
}

} // namespace

void check_copy_target(const Target &target, const LoadPlan &load, const CopyPlan &copy) {
    pg_call([&] {
        const Relation relation = relation_open(target.oid(), NoLock);
        check_kind(relation);
        check_unsent_columns(relation, column_names(copy));
        if (load.statements.checks_slice) check_rows_tell_writer(relation);
        relation_close(relation, NoLock);
    });
    check_inserts_are_local(target, load.insert, Method::copy);
}

CopyWriter::CopyWriter(const Target &target, const LoadPlan &load, const CopyPlan &copy, const TimeZone &zone)
    : target_(target), load_(load), copy_(copy) {
    check_copy_target(target, load, copy);
    pg_call([this, zone_name = zone.name()] {
        scope_.begin(zone_name);
        const Relation relation = relation_open(target_.oid(), NoLock);
        ParseState *const state = make_parsestate(nullptr);
        add_target(state, relation, column_names(copy_));
        free_parsestate(state);
        relation_close(relation, NoLock);
        if (!copy_.is_binary) set_text_input_for_level();
    });
}

std::int64_t CopyWriter::remove() { return delete_slice(load_.statements, target_); }

CopyFromState CopyWriter::begin() {
    relation_ = relation_open(target_.oid(), NoLock);
    ParseState *const state = make_parsestate(nullptr);
    List *const names = column_names(copy_);
    add_target(state, relation_, names);
    const CopyFromState copy =
        BeginCopyFrom(state, relation_, nullptr, nullptr, false, DataOfRun::read_data, names, copy_options(copy_));
    free_parsestate(state);
    return copy;
}

std::int64_t CopyWriter::write(SourceCopy &data, const RunProgress &progress) {
    DataOfRun current(data);
    const CopyFromState copy = pg_call([this] { return begin(); });
    current.weigh_rows(copy);
    progress.show({});
    const auto written = pg_call([=, this] {
        PushActiveSnapshot(GetTransactionSnapshot());
        transaction_ = GetCurrentTransactionId();
        command_ = GetCurrentCommandId(true);
        const auto count = static_cast<std::int64_t>(CopyFrom(copy));
        EndCopyFrom(copy);
        PopActiveSnapshot();
        relation_close(relation_, NoLock);
        return count;
    });
    // The index of the slice finds the rows inside. If some are missing, triggers may have changed or removed them.
    if (load_.statements.checks_slice && find_written(true).count < written)
        if (const Written outside = find_written(false); outside.count > 0)
            pg_call([&] {
                raise_outside_slice({.count = outside.count,
                                     .stored = outside.example,
                                     .is_replace = !load_.statements.remove.empty()});
            });
    return written;
}

// Finds the rows of this COPY that are inside or outside the slice, as they are stored.
CopyWriter::Written CopyWriter::find_written(bool inside) const {
    const std::string example = inside ? "NULL" : "pg_catalog.min(ROW(" + target_.name() + ".*)::pg_catalog.text)";
    const std::string sql =
        "SELECT pg_catalog.count(*), " + example + " FROM " + target_.name() + " WHERE (" + load_.slice + "\n)" +
        (inside ? "" : " IS NOT TRUE") + " AND xmin OPERATOR(pg_catalog.=) '" + std::to_string(transaction_) +
        "'::pg_catalog.xid AND cmin OPERATOR(pg_catalog.=) '" + std::to_string(command_) + "'::pg_catalog.cid";
    return pg_call([statement = sql.c_str(), target = target_.used_for(ACL_SELECT)] {
        const MemoryContext caller = CurrentMemoryContext;
        spi_connect();
        spi_execute(spi_prepare(statement, target), target, InvalidSnapshot, InvalidSnapshot, true);
        bool is_null = false;
        const HeapTuple row = SPI_tuptable->vals[0];
        Written written{DatumGetInt64(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &is_null)), nullptr};
        const char *const shown = SPI_getvalue(row, SPI_tuptable->tupdesc, 2);
        if (shown != nullptr) written.example = MemoryContextStrdup(caller, shown);
        spi_finish();
        return written;
    });
}

void CopyWriter::finish() {
    pg_call([this] { scope_.end(); });
}

} // namespace pgci
