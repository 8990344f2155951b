// Deletes rows of the target that the source does not have.
#pragma once

#include <string>
#include <vector>

#include "target/target.hpp"

namespace pgci {

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
    // Deletes the rows with these keys and returns their number. Call it once, after the last add(). Triggers are queued in the
    // current trigger query level.
    std::int64_t remove();

  private:
    std::string delete_of(const std::vector<std::string> &keys) const;
    std::vector<std::string> take_some();

    const Target &target_;
    const std::vector<std::string> &key_;
    const std::string &slice_;
    std::string keys_equal_{}; // the rows of the target and of a relation "gone"
    std::int64_t size_ = 0;
    Tuplestorestate *store_ = nullptr;
    TupleTableSlot *slot_ = nullptr;
};

// The DELETE of the rows in the slice that satisfy `condition`, which is on a relation q with the columns of the target.
std::string delete_in_slice(const Target &target, const std::string &slice, const std::string &condition);

// Raises 42501 if the user may not execute the DELETE.
void check_may_delete(const std::string &statement);

// Executes the DELETE and returns the number of rows, as ExtraKeys::remove() does.
std::int64_t execute_delete(const Target &target, const std::string &statement);

} // namespace pgci
