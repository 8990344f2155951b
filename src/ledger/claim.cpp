#include "ledger/claim.hpp"

#include "server/guard.hpp"
#include "server/process_lock.hpp"
#include "ledger/related_tables.hpp"

namespace pgci {

namespace {

LOCKTAG tag_of(std::int64_t claim_id) {
    return lock_tag(LockClass::claim, MyDatabaseId, static_cast<std::uint64_t>(claim_id));
}

// A number in which two places are equal only by chance.
std::int64_t number_of_place(const SourceIdentity &source) {
    constexpr int digits = 15; // fits into a positive bigint
    return static_cast<std::int64_t>(std::stoull(source.place.substr(0, digits), nullptr, 16));
}

// A foreign server has other places for other users, and after ALTER SERVER.
std::int64_t number_of_server(const SourceIdentity &source) {
    return source.server != InvalidOid ? -static_cast<std::int64_t>(source.server) : number_of_place(source);
}

// The window, or every window of the kind: one of time and one of ids may have the same rows.
Parameter place_in(const RunKey &key, WindowKind kind) {
    const bool has_kind = key.window && key.window->kind() == kind;
    return window_parameter(kind, has_kind ? key.window->span() : Span{no_start, no_end});
}

// $1 to $5 of the statements below.
std::vector<Parameter> place_of(const RunKey &key, bool only_appends) {
    constexpr Parameter every_source{.type = INT8OID, .is_null = true};
    return {int8_parameter(find_root(key.target)),
            only_appends ? int8_parameter(number_of_place(key.source)) : every_source, place_in(key, WindowKind::time),
            place_in(key, WindowKind::ids), int8_parameter(number_of_server(key.source))};
}

// Ranges, because GiST has no operator class for other types without an extension.
constexpr const char *ranges = "int8range($1, $1, '[]'), int8multirange(int8range($2, $2, '[]'), int8range($5, $5, "
                               "'[]')), $3, $4";

constexpr const char *waiting = "waiting for runs of overlapping windows";

void show_wait(void *) { errcontext("%s", waiting); }

// A wait that ends in an error says what it was for, not by which statement.
void hide_statement(ErrorData *error) {
    const int code = error->sqlerrcode;
    if (code != ERRCODE_LOCK_NOT_AVAILABLE && code != ERRCODE_T_R_DEADLOCK_DETECTED && code != ERRCODE_QUERY_CANCELED)
        return;
    const char *const shown = error->context == nullptr ? nullptr : std::strstr(error->context, waiting);
    if (shown != nullptr) std::memmove(error->context, shown, std::strlen(shown) + 1);
}

} // namespace

Claim::Claim(Oid schema, const RunKey &key, bool only_appends, bool spans_transactions)
    : table_(schema, "pgci_claims"), place_(place_of(key, only_appends)), spans_transactions_(spans_transactions) {
    const ErrorContext context(show_wait, nullptr);
    try {
        while (!try_insert()) wait_for_committed();
    } catch (const PgError &error) {
        hide_statement(error.data());
        throw;
    }
    if (spans_transactions) pg_call([tag = tag_of(id_)] { (void)LockAcquire(&tag, ExclusiveLock, true, false); });
}

// Waits for transactions that have a claim and have not ended. False if a claim that overlaps is committed.
bool Claim::try_insert() {
    const OwnerResult row =
        run_as_owner(table_.owner(),
                     "INSERT INTO " + table_.name() + " (target, source, data_interval, id_range) VALUES (" + ranges +
                         ") ON CONFLICT DO NOTHING RETURNING claim_id, ctid",
                     place_);
    if (!row.found()) return false;
    id_ = row.number;
    row_ = row.text(0);
    return true;
}

void Claim::wait_for_committed() const {
    const OwnerResult others =
        run_as_owner(table_.owner(),
                     "SELECT claim_id FROM " + table_.name() + " AS c, (SELECT " + ranges +
                         ") AS own (target, source, data_interval, id_range) WHERE c.target && own.target AND c.source "
                         "&& own.source AND c.data_interval && own.data_interval AND c.id_range && own.id_range",
                     place_, true);
    for (std::size_t i = 0; i < others.count; ++i) {
        pg_call([tag = tag_of(others.numbers[i])] {
            (void)LockAcquire(&tag, ShareLock, false, false);
            (void)LockRelease(&tag, ShareLock, false);
        });
        // The procedure has deleted it, unless it failed.
        run_as_owner(table_.owner(), "DELETE FROM " + table_.name() + " WHERE claim_id = $1",
                     {int8_parameter(others.numbers[i])});
    }
}

void Claim::release() const {
    // By its place, because a scan of the table would conflict with the claims of others in serializable transactions.
    run_as_owner(table_.owner(), "DELETE FROM " + table_.name() + " WHERE ctid = $1::tid AND claim_id = $2",
                 {text_parameter(row_), int8_parameter(id_)});
}

Claim::~Claim() {
    // The end of the transaction releases the claim of one transaction.
    if (spans_transactions_ && id_ != 0) release_session_lock(tag_of(id_));
}

} // namespace pgci
