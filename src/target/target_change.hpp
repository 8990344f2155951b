// The ALTER TABLE that lets a target follow its source: new columns, and wider types.
#pragma once

#include <string>
#include <vector>

#include "source/source_session.hpp"
#include "target/new_table.hpp"
#include "target/target.hpp"

namespace pgci {

struct TargetChange {
    std::string table;                    // schema.relation, each quoted if necessary
    std::vector<std::string> actions{};   // of one ALTER TABLE
    std::vector<std::string> comments{};  // COMMENT ON the new columns
    std::vector<std::string> widened{};   // names of columns whose type becomes wider
    std::vector<std::string> described{}; // for messages: "c integer", "id from integer to bigint"

    bool empty() const { return actions.empty(); }
    // The ALTER TABLE, and COMMENT ON. Every name and text is quoted.
    std::vector<std::string> statements() const;
};

// Adds a column that the target does not have. It is nullable: the rows that are loaded have no value in it.
void add_column(TargetChange &change, const NewColumn &column);

// Gives a column the type of the source's.
void change_type(TargetChange &change, const SourceColumn &from, const TargetColumn &into);

// Returns whether the type of the source has all values that the column can have, and others. Not if it is of a domain.
bool can_be_widened(const SourceColumn &from, const TargetColumn &into);

// Raises 42809 for a view, 42501 if the current user does not own the target, and 0A000, with their names, if views use a column
// whose type would change. The hint has the statements.
void check_change(const TargetChange &change, const Target &target);

// Raises 42501 with the statements if the current user does not own the target.
void check_owner(const Target &target, const std::vector<std::string> &statements);

// Executes statements under lock_timeout, or under half a minute if that is 0: who waits for the lock keeps all others out.
void execute_change(const std::vector<std::string> &statements);

} // namespace pgci
