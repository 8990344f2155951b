// The result of a set-returning function.
#pragma once

#include <vector>

#include "server/text_rows.hpp"

namespace pgci {

// Collects the rows of the result. Rows that exceed work_mem are written to a temporary file.
class SetResult {
  public:
    explicit SetResult(FunctionCallInfo fcinfo);
    SetResult(const SetResult &) = delete;
    SetResult &operator=(const SetResult &) = delete;

    // Adds a row. The input functions of the columns read its texts.
    void add(const TextRow &row);

  private:
    ReturnSetInfo *result_;
    AttInMetadata *input_ = nullptr;
    MemoryContext memory_ = nullptr; // for one row
};

// Makes these rows the result of the function.
void return_rows(FunctionCallInfo fcinfo, const std::vector<TextRow> &rows);

} // namespace pgci
