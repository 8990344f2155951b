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

void RunKey::set_window(const Window &own, const WindowGrid &grid) {
    window = own;
    places.clear();
    // One lock takes the place of very many.
    constexpr std::size_t most_places = 1000;
    const std::vector<TimeSpan> windows = grid.windows(own.span(), most_places + 1);
    if (windows.size() > most_places) return;
    for (const TimeSpan &place : windows) places.push_back(place.start);
    std::reverse(places.begin(), places.end());
}

namespace {

LOCKTAG tag_of(const std::string &text) { return lock_tag(LockClass::run_key, MyDatabaseId, lock_number(text)); }

std::string name_of(std::int64_t job_id) { return "job " + std::to_string(job_id); }

// All runs take them in the same order, so that none waits for one that waits for it.
std::vector<LOCKTAG> tags_of(const RunKey &key) {
    if (key.job_id == 0) {
        std::string text = std::to_string(key.target) + " " + key.query_hash + " " + key.source;
        if (key.window) text += " " + std::to_string(key.window->start()) + " " + std::to_string(key.window->end());
        return {tag_of(text)};
    }
    if (key.places.empty()) return {tag_of(name_of(key.job_id))};
    std::vector<LOCKTAG> tags;
    tags.reserve(key.places.size());
    for (const TimestampTz place : key.places)
        tags.push_back(tag_of(name_of(key.job_id) + " " + std::to_string(place)));
    return tags;
}

} // namespace

void lock_job(std::int64_t job_id, JobLock lock) {
    const LOCKTAG tag = tag_of(name_of(job_id));
    pg_call([=] { (void)LockAcquire(&tag, lock == JobLock::shared ? ShareLock : ExclusiveLock, false, false); });
}

RunLock::RunLock(const RunKey &key, bool spans_transactions)
    : tags_(tags_of(key)), spans_transactions_(spans_transactions) {
    pg_call([&] {
        // A cancel may come just when the lock is granted. So the transaction waits for it, whose abort releases it, and
        // only then the session takes it, too, without a wait.
        for (const LOCKTAG &tag : tags_) {
            const bool waits = LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL;
            if (waits) (void)LockAcquire(&tag, ExclusiveLock, false, false);
            had_to_wait_ = had_to_wait_ || waits;
            if (spans_transactions_) (void)LockAcquire(&tag, ExclusiveLock, true, false);
        }
    });
}

bool RunLock::try_take(const RunKey &key) {
    const std::vector<LOCKTAG> tags = tags_of(key);
    return std::all_of(tags.begin(), tags.end(), [](const LOCKTAG &tag) {
        return pg_call([&] { return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL; });
    });
}

RunLock::~RunLock() {
    // The end of the transaction releases the other kind.
    if (spans_transactions_)
        for (const LOCKTAG &tag : tags_) release_session_lock(tag);
}

RunLife::RunLife(std::int64_t run_id) : lock_(LockClass::run_life, MyDatabaseId, static_cast<std::uint64_t>(run_id)) {
    if (!lock_.take())
        raise(sqlstate::object_in_use, "run " + std::to_string(run_id) + " is already under way",
              "Was the sequence of copy_incremental_runs set back?");
}

} // namespace pgci
