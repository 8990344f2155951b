// Statements on the extension's own tables. They run with the privileges of the tables' owner, so that callers need none.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "request/named_values.hpp"

namespace pgci {

// A table of the extension.
class OwnTable {
  public:
    // `schema` is the extension's. Raises 42P01 if it has no table of that name, and 55000 if the extension was dropped.
    OwnTable(Oid schema, const char *name);

    Oid oid() const { return oid_; }
    Oid owner() const { return owner_; }
    // schema.table. Raises 55000 if the extension was dropped.
    std::string name() const;
    // Returns whether the current user may see and manage what a role owns: with the privileges of the role, or as the owner of
    // the table.
    bool may_manage_for(Oid role) const;

  private:
    Oid oid_ = InvalidOid;
    Oid owner_ = InvalidOid;
};

// Returns whether the current user may run what the role has written, which then runs with the user's privileges. A superuser
// runs only what superusers have written; nobody runs what a dropped role has written.
bool may_run_for(Oid role);

// An argument of a statement, or NULL.
struct Parameter {
    Oid type = InvalidOid;
    Datum value = 0;
    bool is_null = false;
};

Parameter int8_parameter(std::int64_t value);
Parameter text_parameter(std::string_view value);
// An array of texts.
Parameter texts_parameter(const std::vector<std::string> &values);
Parameter timestamp_parameter(std::optional<TimestampTz> value);

// The result of a statement whose first column is a number and whose other columns are texts: the numbers of all rows, and the
// texts of the first row.
struct OwnerResult {
    std::int64_t processed = 0; // rows returned or written
    std::int64_t number = 0;
    char **texts = nullptr; // null for NULL
    std::int64_t *numbers = nullptr;
    std::size_t count = 0;

    bool found() const { return count > 0; }
    // The n-th text, from 0 on; empty for NULL.
    std::string text(int n) const { return texts[n] != nullptr ? texts[n] : ""; }
};

// Executes a statement as `owner`. Its search_path is pg_catalog alone, so that no object of the calling user can replace one
// of PostgreSQL. It is a security-restricted operation, so that code of the owner cannot affect the calling user: a
// deferrable trigger is an error (42501), and settings that a trigger changes are restored. The statement uses the snapshot
// of this transaction, or with latest_snapshot one that sees everything committed until now.
OwnerResult run_as_owner(Oid owner, const std::string &statement, const std::vector<Parameter> &parameters,
                         bool latest_snapshot = false);

// The same for a query; returns all its columns.
std::vector<NamedValues> select_as_owner(Oid owner, const std::string &query, const std::vector<Parameter> &parameters,
                                         bool latest_snapshot = false);

} // namespace pgci
