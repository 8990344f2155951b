#include "ledger/run_key.hpp"

#include "server/guard.hpp"
#include "template/template_scanner.hpp"

namespace pgci {

namespace {

// Beside those of pg_advisory_lock (1 and 2) and of others that are known; see LOCKTAG_ADVISORY.
constexpr int key_lock_class = 71;

// For the number of a lock, which is never stored: no version promises to keep this function.
std::uint64_t lock_number(const std::string &text) {
    return DatumGetUInt64(
        hash_any_extended(reinterpret_cast<const unsigned char *>(text.data()), static_cast<int>(text.size()), 0));
}

} // namespace

std::string hash_query(const std::string &query_template) {
    const std::string tokens = token_text(query_template);
    return pg_call([&] {
        const Datum bytes = PointerGetDatum(cstring_to_text_with_len(tokens.data(), static_cast<int>(tokens.size())));
        const Datum hash = DirectFunctionCall1(sha256_bytea, bytes);
        const Datum hexadecimal = DirectFunctionCall2(binary_encode, hash, CStringGetTextDatum("hex"));
        return text_to_cstring(DatumGetTextPP(hexadecimal));
    });
}

RunLock::RunLock(const RunKey &key, bool spans_transactions) : spans_transactions_(spans_transactions) {
    std::string text = std::to_string(key.target) + " " + key.query_hash + " " + key.source;
    if (key.window) text += " " + std::to_string(key.window->start()) + " " + std::to_string(key.window->end());
    const std::uint64_t number = lock_number(text);
    SET_LOCKTAG_ADVISORY(tag_, MyDatabaseId, static_cast<uint32>(number >> 32), static_cast<uint32>(number),
                         key_lock_class);
    pg_call([&] {
        had_to_wait_ = LockAcquire(&tag_, ExclusiveLock, spans_transactions, true) == LOCKACQUIRE_NOT_AVAIL;
        if (had_to_wait_) (void)LockAcquire(&tag_, ExclusiveLock, spans_transactions, false);
    });
}

RunLock::~RunLock() {
    // The end of the transaction releases the other kind.
    if (spans_transactions_) (void)LockRelease(&tag_, ExclusiveLock, true);
}

RunLife::RunLife(std::int64_t run_id) {
    const auto number = static_cast<std::uint64_t>(run_id);
    SET_LOCKTAG_ADVISORY(tag_, MyDatabaseId, static_cast<uint32>(number >> 32), static_cast<uint32>(number),
                         lock_class);
    pg_call([this] { (void)LockAcquire(&tag_, ExclusiveLock, true, false); });
}

RunLife::~RunLife() { (void)LockRelease(&tag_, ExclusiveLock, true); }

} // namespace pgci
