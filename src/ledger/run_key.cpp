#include "ledger/run_key.hpp"

#include "server/guard.hpp"
#include "template/template_scanner.hpp"

namespace pgci {

namespace {

// For the number of a lock, which is never stored: no version promises to keep this function.
std::uint64_t lock_number(const std::string &text) {
    return DatumGetUInt64(
        hash_any_extended(reinterpret_cast<const unsigned char *>(text.data()), static_cast<int>(text.size()), 0));
}

// 64 hexadecimal digits.
std::string sha256_text(const std::string &content) {
    return pg_call([&] {
        const Datum bytes = PointerGetDatum(cstring_to_text_with_len(content.data(), static_cast<int>(content.size())));
        const Datum hash = DirectFunctionCall1(sha256_bytea, bytes);
        const Datum hexadecimal = DirectFunctionCall2(binary_encode, hash, CStringGetTextDatum("hex"));
        return text_to_cstring(DatumGetTextPP(hexadecimal));
    });
}

} // namespace

std::string identify_source(const ConnectionOptions &options) {
    std::string identity = options.identity();
    if (!options.server.empty() || options.names_are_plain()) return identity;
    return "connection string " + sha256_text(identity).substr(0, 16);
}

std::string hash_query(const std::string &query_template, const std::optional<std::string> &window_column) {
    std::string text = token_text(query_template);
    // No token is of the kind "c".
    if (window_column) text += "c" + std::to_string(window_column->size()) + ":" + *window_column;
    return sha256_text(text);
}

static LOCKTAG tag_of(const RunKey &key) {
    std::string text = key.job_id != 0 ? "job " + std::to_string(key.job_id)
                                       : std::to_string(key.target) + " " + key.query_hash + " " + key.source;
    if (key.window) text += " " + std::to_string(key.window->start()) + " " + std::to_string(key.window->end());
    return lock_tag(LockClass::run_key, MyDatabaseId, lock_number(text));
}

RunLock::RunLock(const RunKey &key, bool spans_transactions)
    : tag_(tag_of(key)), spans_transactions_(spans_transactions) {
    pg_call([&] {
        // A cancel may come just when the lock is granted. So the transaction waits for it, whose abort releases it, and
        // only then the session takes it, too, without a wait.
        had_to_wait_ = LockAcquire(&tag_, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL;
        if (had_to_wait_) (void)LockAcquire(&tag_, ExclusiveLock, false, false);
        if (spans_transactions_) (void)LockAcquire(&tag_, ExclusiveLock, true, false);
    });
}

bool RunLock::try_take(const RunKey &key) {
    const LOCKTAG tag = tag_of(key);
    return pg_call([&] { return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL; });
}

RunLock::~RunLock() {
    // The end of the transaction releases the other kind.
    if (spans_transactions_) release_session_lock(tag_);
}

RunLife::RunLife(std::int64_t run_id) : lock_(LockClass::run_life, MyDatabaseId, static_cast<std::uint64_t>(run_id)) {
    if (!lock_.take())
        raise(sqlstate::object_in_use, "run " + std::to_string(run_id) + " is already under way",
              "Was the sequence of copy_incremental_runs set back?");
}

} // namespace pgci
