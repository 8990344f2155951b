#include "run/sequence_sync.hpp"

#include <iterator>

#include "server/guard.hpp"
#include "server/sequence_position.hpp"
#include "server/sql_text.hpp"
#include "target/owned_sequences.hpp"

namespace pgci {

namespace {

bool may_move(const OwnedSequence &sequence) {
    return pg_call([oid = sequence.oid] { return pg_class_aclcheck(oid, GetUserId(), ACL_UPDATE) == ACLCHECK_OK; });
}

std::string grant_of(const OwnedSequence &sequence) {
    const char *const user =
        pg_call([]() -> const char * { return ::quote_identifier(GetUserNameFromId(GetUserId(), false)); });
    return "GRANT UPDATE ON SEQUENCE " + sequence.name + " TO " + user;
}

void check_sees_all_rows(const Target &target) {
    if (pg_call([oid = target.oid()] { return check_enable_rls(oid, InvalidOid, true); }) != RLS_ENABLED) return;
    raise(sqlstate::feature_not_supported, "sync_sequences cannot be used where row-level security applies to you",
          "Leave it out, or use a role with BYPASSRLS.",
          "The largest value in " + target.name() + " may be in a row that you may not see.");
}

// Locks the sequence, so that its definition stays. Returns false if it was dropped.
bool lock_sequence(const OwnedSequence &sequence) {
    return pg_call([oid = sequence.oid] {
        LockRelationOid(oid, RowExclusiveLock);
        return SearchSysCacheExists1(SEQRELID, ObjectIdGetDatum(oid));
    });
}

void warn_of_end(const Target &target, const OwnedSequence &sequence) {
    pg_call([&] {
        ereport(WARNING, (errcode(ERRCODE_SEQUENCE_GENERATOR_LIMIT_EXCEEDED),
                          errmsg("sequence %s of %s has no values left", sequence.name.c_str(), target.name().c_str()),
                          errdetail("The last value that it can return is in column \"%s\".", sequence.column.c_str()),
                          errhint("Use ALTER SEQUENCE to give it other bounds.")));
    });
}

} // namespace

MissingPrivileges find_missing_for_sequences(const RequestOptions &options, const Target &target,
                                             const std::vector<std::string> &columns) {
    MissingPrivileges missing;
    if (!options.sync_sequences) return missing;
    const std::vector<OwnedSequence> sequences = find_owned_sequences(target, columns);
    if (!sequences.empty()) check_sees_all_rows(target);
    for (const OwnedSequence &sequence : sequences) {
        MissingPrivileges of_column =
            find_missing_privileges("SELECT " + quote_identifier(sequence.column) + " FROM " + target.name());
        if (!OidIsValid(missing.relation)) missing.relation = of_column.relation;
        std::move(of_column.grants.begin(), of_column.grants.end(), std::back_inserter(missing.grants));
        if (may_move(sequence)) continue;
        if (!OidIsValid(missing.relation)) missing.relation = sequence.oid;
        missing.grants.push_back(grant_of(sequence));
    }
    return missing;
}

void move_sequences(const RequestOptions &options, const Target &target, const std::vector<std::string> &columns) {
    if (!options.sync_sequences) return;
    for (const OwnedSequence &found : find_owned_sequences(target, columns)) {
        if (!lock_sequence(found)) continue;
        // Its definition may have changed before the lock.
        for (const OwnedSequence &sequence : find_owned_sequences(target, {found.column})) {
            if (sequence.oid != found.oid) continue;
            if (!may_move(sequence)) {
                const std::string grant = grant_of(sequence);
                pg_call([oid = sequence.oid, text = grant.c_str()] { raise_denied(oid, text); });
            }
            const std::optional<std::int64_t> last = last_value_in(target, sequence);
            if (last && !pg_call([&] { return advance_sequence(sequence.oid, *last); })) warn_of_end(target, sequence);
        }
    }
}

} // namespace pgci
