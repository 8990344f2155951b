// A request with everything looked up as a run looks it up, but for what writes or locks: for who only wants to know.
#pragma once

#include "copy_request.hpp"
#include "source_session.hpp"

namespace pgci {

class ResolvedRequest {
  public:
    // Checks the arguments, connects, describes the query and finds the target. Raises what a run raises for these,
    // but nothing for missing rights on the target.
    explicit ResolvedRequest(const CopyRequest &request);
    ResolvedRequest(const ResolvedRequest &) = delete;
    ResolvedRequest &operator=(const ResolvedRequest &) = delete;

    const TimeZone &zone() const { return zone_; }
    const std::optional<Window> &window() const { return window_; }
    const SourceQuery &query() const { return *query_; }
    // The condition of mode replace; empty for none.
    const std::string &slice() const { return slice_; }
    // What the ledger calls the source.
    const std::string &source_identity() const { return source_identity_; }
    SourceSession &source() { return *source_; }
    const std::vector<SourceColumn> &columns() const { return columns_; }
    const Target &target() const { return *target_; }

  private:
    TimeZone zone_;
    std::optional<Window> window_;
    std::optional<SourceQuery> query_;
    std::string slice_;
    std::string source_identity_;
    std::optional<SourceSession> source_;
    std::vector<SourceColumn> columns_;
    std::optional<Target> target_;
};

} // namespace pgci
