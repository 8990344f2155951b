// The relation that the rows go into: found, locked, checked.
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
    bool is_generated = false;       // GENERATED ALWAYS AS (...) STORED: computed here, never written
    bool is_identity_always = false; // takes the source's value all the same
};

// The relation stays locked to the end of the transaction: ROW EXCLUSIVE to write, and then the current user must have the
// right to insert into it; ACCESS SHARE, as by any query, to look at it, for which no right is asked.
enum class TargetUse { write, look };

class Target {
  public:
    // Raises 42P01 for a relation that was dropped, 42809 for a sequence, index, materialized view or a view that takes no inserts, 42501 for catalogs
    // and missing rights, 0A000 for another session's temporary table.
    static Target open(Oid relation, TargetUse use = TargetUse::write);

    // Finds the relation that a query reads: the source's analysis must name one table, and the query's FROM clause
    // must name it, and no other relation. It is looked up here by the name that the query uses; the relation that has
    // the name when the lock is taken is the target. Raises 42P09 when that is not clear
    // and 42P01 when this server has no such table.
    static Target find(const SourceQuery &query, const std::vector<SourceColumn> &columns, SourceSession &source,
                       TargetUse use = TargetUse::write);

    // Opens it again in a later transaction of the run: locks it and reads its columns. Raises 42P01 where it was dropped, or
    // where its name means another relation.
    void open_again();

    Oid oid() const { return oid_; }
    // What a statement must use that names the target. Valid as long as the object.
    UsedRelation used_for(AclMode use) const { return {oid_, use, name_.c_str()}; }
    // schema.relation, each quoted where needed.
    const std::string &name() const { return name_; }
    const std::vector<TargetColumn> &columns() const { return columns_; }
    // The column of a name, or null.
    const TargetColumn *find_column(const std::string &name) const;
    bool is_view() const { return kind_ == RELKIND_VIEW; }
    // Views and foreign tables have no indexes of their own.
    bool has_indexes() const { return kind_ == RELKIND_RELATION || kind_ == RELKIND_PARTITIONED_TABLE; }

  private:
    Oid oid_ = InvalidOid;
    char kind_ = '\0';
    std::string name_;
    std::vector<TargetColumn> columns_;
};

// Raises 42809 for a copy of a table onto itself: rows that are read from the table they are written to would be doubled.
void check_not_itself(const SourceSession &source, const std::vector<SourceColumn> &columns, const Target &target);

} // namespace pgci
