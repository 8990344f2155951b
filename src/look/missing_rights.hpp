// The privileges that a statement needs and the current user does not have.
#pragma once

#include <string>
#include <vector>

namespace pgci {

// Plans a statement for the current user and returns the privileges that its execution lacks, such as "UPDATE (name) on
// public.users". Raises the errors of its analysis. Call it in a subtransaction that is rolled back, because the analysis
// locks the tables.
std::vector<std::string> find_missing_rights(const std::string &statement);

} // namespace pgci
