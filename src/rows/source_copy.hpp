// Receives the rows of a query as COPY data.
#pragma once

#include "rows/copy_framing.hpp"
#include "rows/copy_plan.hpp"
#include "rows/throttle.hpp"

namespace pgci {

// Returns the query with its columns as COPY sends them. `parameter_types` are those that the source has determined.
// Raises 0A000 for a type without a name common to both servers.
RemoteConnection::Statement copied_query(const SourceQuery &query, const std::vector<Oid> &parameter_types,
                                         const CopyPlan &plan);

// Returns COPY (query) TO STDOUT for this query.
RemoteConnection::Statement copy_statement(const SourceQuery &query, const std::vector<Oid> &parameter_types,
                                           const CopyPlan &plan);

class SourceCopy {
  public:
    // Sends the statement and waits for the start of its data. Reads no faster than the throttle says. Raises the source's errors.
    SourceCopy(SourceSession &source, const SourceQuery &query, const CopyPlan &plan, Throttle &throttle);

    // Fills the buffer with the next 1 to `size` bytes. Returns 0 at the end: the source has reported the end, and its
    // number of rows is the number received. Raises the source's errors, 08006, and 08P01 for truncated data or another
    // number of rows.
    int read(char *buffer, int size);
    // Receives the end of the transaction at the source. Raises 08P01 if read() has not reached the end.
    void finish();

    std::int64_t rows() const { return framing_.rows(); }
    // Bytes of the values; in text format, of the lines.
    std::int64_t bytes() const { return framing_.bytes(); }

  private:
    bool next_piece(bool may_wait);
    void end();
    RemoteConnection &connection() const { return source_.connection(); }

    SourceSession &source_;
    RemoteConnection::Statement statement_;
    CopyFraming framing_;
    Throttle &throttle_;
    RemoteConnection::CopyPiece piece_{};
    int given_ = 0; // bytes of the piece that were returned
    bool at_end_ = false;
};

} // namespace pgci
