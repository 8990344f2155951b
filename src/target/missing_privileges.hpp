// The privileges that a statement needs and the current user does not have.
#pragma once

#include <string>
#include <vector>

#include "server/pg.hpp"
#include "target/load_plan.hpp"

namespace pgci {

// Returns the privileges on the whole target that suffice for a run.
AclMode needed_on_target(const CopyRequest &request);

struct MissingPrivileges {
    Oid relation = InvalidOid;         // the first relation
    std::vector<std::string> grants{}; // such as "GRANT UPDATE (name) ON public.users TO etl"

    void add(const MissingPrivileges &others);
};

// Analyzes a statement and returns the privileges that its execution by the current user lacks. Raises the errors of the
// analysis, which locks the tables. Does not plan the statement.
MissingPrivileges find_missing_privileges(const std::string &statement);

// Raises 42501 with all privileges that the statements of a run lack, and `more`. `needed` are those that suffice on the target itself.
void check_privileges(const LoadPlan &plan, const Target &target, AclMode needed, const MissingPrivileges &more = {});

} // namespace pgci
