// Checks whether a query that was written for the source uses only built-in objects on this server.
#pragma once

#include <optional>
#include <string>

#include "target/target.hpp"

namespace pgci {

// Returns a sentence about an object in the query that is not built in; nothing if all are. Analyzes the query, a
// SELECT from the target, under the settings of a comparison with NameSearch::catalog. Does not plan or execute it, so
// none of its functions is called.
//
// Functions, operators and collations of pg_catalog are built in. Types can be others, because only a superuser can
// create a type with new input and output functions. However, the input of a domain, or of a type that contains one,
// evaluates CHECK constraints, so these types must be types of the target's columns. Relations can be those whose
// owners the caller already trusts: the target's owner, superusers and the caller.
std::optional<std::string> find_not_built_in(const std::string &query, const Target &target, const char *zone);

} // namespace pgci
