// The statements of mode upsert: MERGE, and INSERT ... ON CONFLICT.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "request/copy_request.hpp"
#include "target/batch_relation.hpp"
#include "target/conflict_key.hpp"
#include "target/target.hpp"

namespace pgci {

// A column of the batch by which its rows are ordered in memory.
struct OrderColumn {
    int number = 0; // from 0
    Oid less = InvalidOid;
    Oid collation = InvalidOid;
};

class Upsert {
  public:
    // Raises 42703 for a column of update_columns that the target or the source does not have, 22023 for one of the key, 42701
    // for one that is named twice. The arguments must outlive the object.
    Upsert(const CopyRequest &request, const Target &target, const BatchRelation &batch, const ConflictKey &key);

    // How to order the rows of the batch by the key; empty if memory does not have them as the target stores them. Then
    // rows() orders them.
    const std::vector<OrderColumn> &order() const { return order_; }
    // Selects the last row of each key.
    std::string rows() const;
    // " ON CONFLICT ..."; the target has the alias target_alias(), and the rows are rows().
    std::string on_conflict() const;
    const std::string &target_alias() const { return alias_; }
    // The MERGE that does the same, if the key of each row is not NULL. It compares rows as they would be stored, looks up each
    // key once, and needs defaults and NOT NULL columns only for new rows. Empty if the operators of the key are unknown.
    std::string merge() const;

  private:
    std::vector<OrderColumn> find_order() const;
    std::string differs(bool is_merge) const;

    const Target &target_;
    const BatchRelation &batch_;
    const ConflictKey &key_;
    std::string alias_;
    std::string where_;
    std::vector<std::string> updated_{};
    std::vector<OrderColumn> order_;
};

} // namespace pgci
