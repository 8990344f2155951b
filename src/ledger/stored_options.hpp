// The options of a request as a jsonb in a table of the extension: those that are not the default, without target and time_zone.
#pragma once

#include <string>
#include <vector>

#include "request/copy_request.hpp"
#include "ledger/owner_statement.hpp"

namespace pgci {

// Returns the options as values that have the names and types of an SQL function's arguments.
NamedValues values_of(const RequestOptions &options);

// Returns an expression for the jsonb, and adds its parameters.
std::string options_to_store(const NamedValues &options, std::vector<Parameter> &parameters);

// Returns a FROM item that has the options stored in `options`, an expression, as columns, and the defaults of the others.
std::string stored_options(const std::string &options);

} // namespace pgci
