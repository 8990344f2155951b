// A request with everything looked up as a run looks it up, before anything is written.
#pragma once

#include "request/copy_request.hpp"
#include "source/source_session.hpp"
#include "ledger/ledger.hpp"
#include "target/target.hpp"

namespace pgci {

class ResolvedRequest {
  public:
    // Checks the arguments, connects, describes the query and finds the target. Raises what a run raises for these.
    ResolvedRequest(const CopyRequest &request, TargetUse use);
    ResolvedRequest(const ResolvedRequest &) = delete;
    ResolvedRequest &operator=(const ResolvedRequest &) = delete;

    const TimeZone &zone() const { return zone_; }
    const std::optional<Window> &window() const { return key_.window; }
    const SourceQuery &query() const { return *query_; }
    // The condition of mode replace; empty for none.
    const std::string &slice() const { return slice_; }
    // What the ledger calls the run.
    const RunKey &key() const { return key_; }
    SourceSession &source() { return *source_; }
    const std::vector<SourceColumn> &columns() const { return columns_; }
    const Target &target() const { return *target_; }

  private:
    TimeZone zone_;
    RunKey key_;
    std::optional<SourceQuery> query_;
    std::string slice_;
    std::optional<SourceSession> source_;
    std::vector<SourceColumn> columns_;
    std::optional<Target> target_;
};

} // namespace pgci
