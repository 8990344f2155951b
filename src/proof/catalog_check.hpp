// Does a query that was written for the source use nothing here but what every server has?
#pragma once

#include <optional>
#include <string>

#include "target/target.hpp"

namespace pgci {

// What the query uses that is not built in, as a sentence; nothing if all is. The query, a SELECT from the target, is
// analyzed under the settings of a comparison with NameSearch::catalog. It is neither planned nor run, so none of its
// functions is called.
//
// Built in are functions, operators and collations of pg_catalog. Types may be others, because only a superuser can create a
// type whose input and output run new code; but the input of a domain, and of what can contain one, runs its CHECK
// constraints, so these must be types of the target's columns. Relations may be others of whom the caller must trust
// already: the target's owner, superusers, the caller.
std::optional<std::string> find_not_built_in(const std::string &query, const Target &target, const char *zone);

} // namespace pgci
