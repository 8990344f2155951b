// The line of CONTEXT that names the job of a call.
#pragma once

#include <string>

#include "server/guard.hpp"

namespace pgci {

// Adds the line to the errors, warnings and notices during its lifetime, unless a call within has a job of its own.
class JobContext {
  public:
    // An empty name adds nothing, nor does one with control characters, which no job can have.
    explicit JobContext(const std::string &job);
    ~JobContext();
    JobContext(const JobContext &) = delete;
    JobContext &operator=(const JobContext &) = delete;

  private:
    static void show(void *argument);

    static inline const JobContext *innermost = nullptr;

    std::string job_;
    const JobContext *outer_;
    ErrorContext context_;
};

} // namespace pgci
