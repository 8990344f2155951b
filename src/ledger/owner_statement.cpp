#include "ledger/owner_statement.hpp"

#include "server/compat.hpp"
#include "server/extension.hpp"
#include "server/guard.hpp"
#include "server/named_relation.hpp"
#include "server/settings.hpp"
#include "server/spi.hpp"
#include "server/sql_text.hpp"
#include "ledger/kept_plans.hpp"

namespace pgci {

OwnTable::OwnTable(Oid schema, const char *name) {
    check_extension();
    oid_ = pg_call([=] { return get_relname_relid(name, schema); });
    if (!OidIsValid(oid_))
        raise(sqlstate::undefined_table, std::string("table ") + name + " of the extension does not exist",
              "Run ALTER EXTENSION pg_copy_incremental UPDATE.");
    owner_ = pg_call([this] {
        const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(oid_));
        const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
        ReleaseSysCache(tuple);
        return owner;
    });
}

// Looks the name up each time, because the extension may have been dropped and created again.
std::string OwnTable::name() const {
    check_extension();
    const char *const found = pg_call([this] { return qualified_name(oid_); });
    if (found == nullptr) raise_extension_dropped();
    return found;
}

bool OwnTable::may_manage_for(Oid role) const {
    return pg_call([=, this] {
        return (OidIsValid(role) && has_privs_of_role(GetUserId(), role)) || compat::owns_relation(oid_, GetUserId());
    });
}

// A membership of a superuser is no consent: whoever may grant the role can make it.
bool may_run_for(Oid role) {
    if (!OidIsValid(role)) return false;
    return pg_call([=] { return superuser() ? superuser_arg(role) : has_privs_of_role(GetUserId(), role); });
}

Parameter int8_parameter(std::int64_t value) { return {INT8OID, Int64GetDatum(value)}; }

Parameter text_parameter(std::string_view value) {
    const char *const text = value.data();
    const int length = static_cast<int>(value.size());
    return {TEXTOID, pg_call([=] { return PointerGetDatum(cstring_to_text_with_len(text, length)); })};
}

Parameter texts_parameter(const std::vector<std::string> &values) {
    const std::string *const texts = values.data();
    const int count = static_cast<int>(values.size());
    return {TEXTARRAYOID, pg_call([=] {
                auto *const elements = static_cast<Datum *>(palloc(sizeof(Datum) * static_cast<Size>(count)));
                for (int i = 0; i < count; ++i)
                    elements[i] =
                        PointerGetDatum(cstring_to_text_with_len(texts[i].data(), static_cast<int>(texts[i].size())));
                return PointerGetDatum(construct_array(elements, count, TEXTOID, -1, false, TYPALIGN_INT));
            })};
}

Parameter timestamp_parameter(std::optional<TimestampTz> value) {
    return {TIMESTAMPTZOID, TimestampTzGetDatum(value.value_or(0)), !value};
}

namespace {

// Copies the result of SPI into `memory`.
void take_rows(OwnerResult &result, MemoryContext memory) {
    if (SPI_tuptable == nullptr || SPI_processed == 0) return;
    result.count = SPI_processed;
    result.numbers = static_cast<std::int64_t *>(
        MemoryContextAllocHuge(memory, sizeof(std::int64_t) * static_cast<Size>(SPI_processed)));
    bool is_null = false;
    for (std::size_t i = 0; i < result.count; ++i)
        result.numbers[i] = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &is_null));
    result.number = result.numbers[0];
    const int texts = SPI_tuptable->tupdesc->natts - 1;
    result.texts = static_cast<char **>(MemoryContextAllocZero(memory, sizeof(char *) * static_cast<Size>(texts)));
    for (int i = 0; i < texts; ++i) {
        const char *const text = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 2);
        if (text != nullptr) result.texts[i] = MemoryContextStrdup(memory, text);
    }
}

// The rows of a query. Plain data.
struct FoundRows {
    std::size_t rows = 0;
    std::size_t columns = 0;
    const char **names = nullptr;
    NullableDatum *values = nullptr;
};

void take_all(FoundRows &found, MemoryContext memory) {
    const TupleDesc description = SPI_tuptable->tupdesc;
    found.rows = SPI_processed;
    found.columns = static_cast<std::size_t>(description->natts);
    const MemoryContext previous = MemoryContextSwitchTo(memory);
    found.names = static_cast<const char **>(palloc(sizeof(char *) * found.columns));
    found.values = static_cast<NullableDatum *>(
        MemoryContextAllocHuge(memory, sizeof(NullableDatum) * std::max<Size>(1, found.rows * found.columns)));
    for (std::size_t column = 0; column < found.columns; ++column) {
        const FormData_pg_attribute &attribute = *TupleDescAttr(description, column);
        found.names[column] = pstrdup(NameStr(attribute.attname));
        for (std::size_t row = 0; row < found.rows; ++row) {
            NullableDatum &value = found.values[row * found.columns + column];
            value.value =
                SPI_getbinval(SPI_tuptable->vals[row], description, static_cast<int>(column) + 1, &value.isnull);
            if (!value.isnull) value.value = datumCopy(value.value, attribute.attbyval, attribute.attlen);
        }
    }
    MemoryContextSwitchTo(previous);
}

void hint_at_owner(void *) {
    if (geterrcode() == ERRCODE_INSUFFICIENT_PRIVILEGE)
        errhint(
            "The tables of pg_copy_incremental must all belong to one role, which has all privileges on them, and must "
            "not have deferrable triggers or constraints.");
}

// If there is an error, the abort of the transaction restores the user and the settings. The owner may not be a superuser, and
// its triggers, defaults and index expressions run here: they must not change this session, or run later as its user. `take` is
// called with the memory context of the caller while SPI has the result.
template <class Taker>
void execute_as_owner(Oid owner, const std::string &statement, const std::vector<Parameter> &parameters,
                      bool latest_snapshot, Taker &&take) {
    const ErrorContext context(hint_at_owner, nullptr);
    std::vector<Oid> types;
    types.reserve(parameters.size());
    for (const Parameter &parameter : parameters) types.push_back(parameter.type);
    SPIPlanPtr *const kept = KeptPlans::find(statement, types.data(), types.size());
    pg_call([&] {
        Oid user = InvalidOid;
        int security = 0;
        const MemoryContext caller = CurrentMemoryContext;
        GetUserIdAndSecContext(&user, &security);
        const int settings = NewGUCNestLevel();
        SetUserIdAndSecContext(owner, security | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION |
                                          SECURITY_NOFORCE_RLS);
        set_for_level("search_path", "pg_catalog, pg_temp");
        set_for_level("row_security", "off");
        const std::size_t count = parameters.size();
        auto *const values = static_cast<Datum *>(palloc(sizeof(Datum) * count));
        auto *const nulls = static_cast<char *>(palloc(count));
        for (std::size_t i = 0; i < count; ++i) {
            values[i] = parameters[i].value;
            nulls[i] = parameters[i].is_null ? 'n' : ' ';
        }
        spi_connect();
        const bool is_kept = kept != nullptr && *kept != nullptr;
        const SPIPlanPtr plan = is_kept ? *kept : spi_prepare(statement.c_str(), static_cast<int>(count), types.data());
        // At every isolation level, the statement must see a run that committed while this transaction waited.
        const int code =
            SPI_execute_snapshot(plan, values, nulls, latest_snapshot ? GetLatestSnapshot() : InvalidSnapshot,
                                 InvalidSnapshot, false, true, 0);
        if (code < 0) raise_spi("SPI_execute", code);
        take(caller);
        if (kept != nullptr && !is_kept && SPI_keepplan(plan) == 0) *kept = plan;
        spi_finish();
        SetUserIdAndSecContext(user, security);
        AtEOXact_GUC(false, settings);
    });
}

} // namespace

OwnerResult run_as_owner(Oid owner, const std::string &statement, const std::vector<Parameter> &parameters,
                         bool latest_snapshot) {
    OwnerResult result;
    execute_as_owner(owner, statement, parameters, latest_snapshot, [&](MemoryContext memory) {
        result.processed = static_cast<std::int64_t>(SPI_processed);
        take_rows(result, memory);
    });
    return result;
}

std::vector<NamedValues> select_as_owner(Oid owner, const std::string &query, const std::vector<Parameter> &parameters,
                                         bool latest_snapshot) {
    FoundRows found;
    execute_as_owner(owner, query, parameters, latest_snapshot, [&](MemoryContext memory) { take_all(found, memory); });
    const std::vector<std::string> names(found.names, found.names + found.columns);
    std::vector<NamedValues> rows;
    for (std::size_t row = 0; row < found.rows; ++row) {
        const NullableDatum *const values = found.values + row * found.columns;
        rows.emplace_back(names, std::vector<NullableDatum>(values, values + found.columns));
    }
    return rows;
}

} // namespace pgci
