// A table that does not exist yet: its description, the statements that create it, and the one that does.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "target/local_type.hpp"

namespace pgci {

struct NewColumn {
    std::string name;
    LocalType type;
    std::string source_type{}; // its name at the source, for messages
    bool is_not_null = false;
    std::optional<std::string> comment{};
};

struct NewTable {
    std::string schema;
    std::string relation;
    std::vector<NewColumn> columns{};
    std::vector<std::string> primary_key{};     // empty for none
    std::vector<std::string> left_out_key{};    // the primary key of the source, if the partition key is not in it
    std::optional<std::string> indexed{};       // a column for an index of its own
    std::optional<std::string> partition_key{}; // of PARTITION BY RANGE
    std::optional<std::string> comment{};

    // schema.relation, each quoted if necessary.
    std::string name() const;
    // CREATE TABLE, then CREATE INDEX and COMMENT ON. Every name and text is quoted.
    std::vector<std::string> statements() const;
    // The same as one text, each statement with a semicolon.
    std::string script() const;
    // Executes the statements with the privileges of the current user, as a CREATE TABLE by him. If another transaction is creating
    // the table, waits for it. Returns the relation that has the name then, and whether it is the new one.
    struct Created {
        Oid oid = InvalidOid;
        bool is_new = false;
    };
    Created create() const;
};

// Quotes a name only if it needs it, because people read the statements.
std::string quote_if_needed(const std::string &name);

// Returns the statements as one text, each with a semicolon.
std::string script_of(const std::vector<std::string> &statements);

// Returns a script for a message: of limited length, and without control characters but line breaks.
std::string shown_script(const std::string &script);

// A column of the target for one of the source, with what it is made of.
NewColumn make_column(const DescribedColumn &column);

// Returns the schema in which an unqualified name is created: the first of search_path that exists and is not temporary. Raises
// 3F000 if there is none.
std::string find_creation_schema();

// Executes statements that define something, with the privileges of the current user.
void execute_definitions(const std::vector<std::string> &statements);

} // namespace pgci
