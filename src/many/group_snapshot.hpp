// The snapshot of the source that the runs of a job group read.
#pragma once

#include <optional>
#include <vector>

#include "source/source_session.hpp"
#include "many/load_windows.hpp"

namespace pgci {

// A session at the source holds the snapshot in a transaction, as long as runs may begin that read it. A run that has begun does
// not need it any more.
class GroupSnapshot {
  public:
    // `memory` owns the connection.
    explicit GroupSnapshot(MemoryContext memory) noexcept : keeper_(memory) {}

    // A window that must not be loaded.
    struct Refused {
        WindowTask task;
        RunFailure failure;
    };

    // Connects, waits until the windows are settled, as the option `settle` of their jobs says, and then takes the snapshot, which
    // the tasks get. Takes windows out that are not settled and that their job refuses, and returns them. The tasks must be some, and
    // those of a job in order. Raises 22023 for jobs of different sources, and the errors of a connection.
    std::vector<Refused> take(const WindowLoader &loader, std::vector<WindowTask> &tasks);
    // Ends the session.
    void end() noexcept { session_.reset(); }

  private:
    void connect(const WindowLoader &loader, const std::vector<WindowTask> &tasks);

    ConnectionKeeper keeper_;
    std::optional<SourceSession> session_{};
};

} // namespace pgci
