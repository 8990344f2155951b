// The rights that a statement needs and its user lacks.
#pragma once

#include <string>
#include <vector>

namespace pgci {

// Plans a statement for the current user and returns what its execution would be refused for, such as
// "UPDATE (name) on public.users". Raises the errors of its analysis; to be called in a subtransaction that is rolled
// back, because analysis locks the tables.
std::vector<std::string> find_missing_rights(const std::string &statement);

} // namespace pgci
