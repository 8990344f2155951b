#include "server/extension.hpp"

#include "server/compat.hpp"
#include "server/guard.hpp"

namespace pgci {

void check_extension() {
    const bool exists = pg_call([] {
        constexpr const char *name = "pg_copy_incremental";
        const Oid extension = get_extension_oid(name, true);
        if (!OidIsValid(extension)) return false;
        // DROP EXTENSION takes this lock first. Taking it in the same order avoids a deadlock.
        LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
        return get_extension_oid(name, true) == extension;
    });
    if (!exists) raise_extension_dropped();
}

void raise_extension_dropped() {
    raise(sqlstate::not_in_prerequisite_state,
          "extension \"pg_copy_incremental\" was dropped while the run was under way",
          "Create the extension again. Nothing records what the run had committed before.");
}

} // namespace pgci
