// Deletes rows of the target that the source does not have.
#pragma once

#include <string>
#include <vector>

#include "target/target.hpp"

namespace pgci {

// The result of a DELETE.
struct Removal {
    std::int64_t deleted = 0;
    std::int64_t left = 0; // rows that should have been deleted, and are still in the slice
};

// Keys of rows to delete. Keys that exceed work_mem are stored in a temporary file.
class ExtraKeys {
  public:
    // `key` are the columns of the key, and `slice` is the condition of the rows that may be deleted; empty for none. Both must
    // outlive the object. Raises 42501 without the DELETE privilege, and 0A000 for a column whose type has no equality.
    ExtraKeys(const Target &target, const std::vector<std::string> &key, const std::string &slice);
    ExtraKeys(const ExtraKeys &) = delete;
    ExtraKeys &operator=(const ExtraKeys &) = delete;

    // Adds a key, a JSON object of texts.
    void add(const std::string &key);
    std::int64_t size() const { return size_; }
    // Deletes the rows with these keys. Call it once, after the last add(). Triggers are queued in the current trigger query
    // level. Rows with NULL in the key are left.
    Removal remove();

  private:
    std::string where_of(const std::vector<std::string> &keys, const std::string &keys_match) const;
    std::vector<std::string> take_some();

    const Target &target_;
    const std::vector<std::string> &key_;
    const std::string &slice_;
    // Conditions on the target and a relation of keys: a row has the key; the same, and NULL is equal to NULL.
    std::string keys_equal_{};
    std::string keys_not_distinct_{};
    std::int64_t size_ = 0;
    Tuplestorestate *store_ = nullptr;
    TupleTableSlot *slot_ = nullptr;
};

// Deletes the rows in the slice that satisfy `condition`, which is on a relation q with the columns of the target, as
// ExtraKeys::remove() does. `wanted` is their expected number.
Removal remove_in_slice(const Target &target, const std::string &slice, const std::string &condition,
                        std::int64_t wanted);

// Raises 42501 if the user may not delete in the slice.
void check_may_delete(const Target &target, const std::string &slice);

} // namespace pgci
