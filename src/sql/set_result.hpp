// What a function that returns a set gives back.
#pragma once

#include <vector>

#include "server/text_rows.hpp"

namespace pgci {

// The result of a function that returns a set of rows. Rows above work_mem go to a file.
class SetResult {
  public:
    explicit SetResult(FunctionCallInfo fcinfo);
    SetResult(const SetResult &) = delete;
    SetResult &operator=(const SetResult &) = delete;

    // Adds a row by the texts of its values, through the input functions of the columns.
    void add(const TextRow &row);

  private:
    ReturnSetInfo *result_;
    AttInMetadata *input_ = nullptr;
    MemoryContext memory_ = nullptr; // of one row
};

// Returns these rows.
void return_rows(FunctionCallInfo fcinfo, const std::vector<TextRow> &rows);

} // namespace pgci
