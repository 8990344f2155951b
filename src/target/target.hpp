// The target of a run: looked up, locked and checked.
#pragma once

#include <string>
#include <vector>

#include "server/named_relation.hpp"
#include "server/pg.hpp"
#include "source/source_session.hpp"

namespace pgci {

struct TargetColumn {
    std::string name;
    Oid type = InvalidOid;
    int typmod = -1;
    Oid collation = InvalidOid;
    bool is_not_null = false;
    bool has_default = false;        // a default of the column or of its type, or an identity
    bool is_generated = false;       // GENERATED ALWAYS AS (...) STORED: never written
    bool is_identity_always = false; // the source's value is inserted (OVERRIDING SYSTEM VALUE)
};

// The use of the relation, which stays locked until the end of the transaction. write: ROW EXCLUSIVE lock, requires the
// INSERT privilege. look: ACCESS SHARE lock, requires no privilege.
enum class TargetUse { write, look };

// Raises 42501 for a relation. `grants` are the statements that grant the missing privileges. PostgreSQL code.
[[noreturn]] void raise_denied(Oid relation, const char *grants);

class Target {
  public:
    // Raises 42P01 for a relation that was dropped, 42809 for a sequence, index, materialized view or a view that
    // cannot be inserted into, 42501 for catalogs and missing privileges, 0A000 for a temporary table of another
    // session. The hint of a missing INSERT privilege names all privileges of `needed` that are missing.
    static Target open(Oid relation, TargetUse use = TargetUse::write, AclMode needed = ACL_INSERT);

    // Returns the name of the relation that a query reads. The source must have found exactly one table, and the FROM clause
    // must consist of this table. Raises 42P09 if the table is ambiguous.
    static WrittenName name_in(const SourceQuery &query, const std::vector<SourceColumn> &columns,
                               SourceSession &source);

    // Finds a relation by its name, in search_path if it has no schema: the relation that has this name when the lock is
    // acquired. Returns nothing if this server does not have it. Temporary tables and catalogs are not found.
    static std::optional<Target> find(const WrittenName &name, TargetUse use = TargetUse::write,
                                      AclMode needed = ACL_INSERT);

    // Locks the relation again in a later transaction of the run and reads its columns. Raises 42P01 if it was dropped
    // or its name refers to another relation.
    void open_again();

    // Waits until no other run changes the columns of the target, and keeps others from it until the transaction ends. Then reads the
    // columns again. Gives up the lock on the relation for the wait: two runs that have it and want to change the target would
    // otherwise wait for each other. To be called in the first transaction of a run, before it writes.
    void lock_for_change();

    Oid oid() const { return oid_; }
    // Returns what a statement that names the target must use. Valid during the lifetime of the object.
    UsedRelation used_for(AclMode use) const { return {oid_, use, name_.c_str()}; }
    // schema.relation, each quoted if necessary.
    const std::string &name() const { return name_; }
    const std::vector<TargetColumn> &columns() const { return columns_; }
    // Returns the column of this name, or null.
    const TargetColumn *find_column(const std::string &name) const;
    bool is_view() const { return kind_ == RELKIND_VIEW; }
    bool is_partitioned() const { return kind_ == RELKIND_PARTITIONED_TABLE; }
    // Views and foreign tables have no indexes on this server.
    bool has_indexes() const { return kind_ == RELKIND_RELATION || kind_ == RELKIND_PARTITIONED_TABLE; }

  private:
    Oid oid_ = InvalidOid;
    int locks_ = 1; // how often this object has locked the relation
    char kind_ = '\0';
    std::string name_;
    std::vector<TargetColumn> columns_;
};

} // namespace pgci
