// The type of this database for a type of the source.
#pragma once

#include <string>
#include <vector>

#include "server/pg.hpp"
#include "source/described_table.hpp"

namespace pgci {

struct LocalType {
    Oid type = InvalidOid;
    int typmod = -1;
    bool is_same = true; // false: this database does not have the source's type, and this one takes its place

    // As SQL for this search_path. Only PostgreSQL's own types are written without their schema, if search_path finds them so.
    std::string sql() const;
};

// Finds the type. PostgreSQL's own types are known by their OIDs. Other types are those of the same kind and name here, in the
// schema that they have at the source, or else in search_path: a domain over the same type, an enum with all labels of the source's,
// and a base or range type. For other domains the result is the base type, for all other types text. A type is used only if the
// caller trusts its owner, who can drop it and the columns of it, and can give a domain checks.
LocalType find_local_type(const SourceType *types, std::size_t count);

// Returns the name of the type at the source, for messages.
std::string name_of_type(const std::vector<SourceType> &types);

// Returns whether a column of a table can have the type: it is neither a pseudo-type nor a row of a catalog.
bool can_be_stored(Oid type);

} // namespace pgci
