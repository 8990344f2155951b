// The rows of a query as the data of COPY, as it arrives.
#pragma once

#include "rows/copy_framing.hpp"
#include "rows/copy_plan.hpp"

namespace pgci {

// The query with its columns as COPY sends them. `parameter_types` are those that the source has found for it; raises
// 0A000 for a type that has no name common to both servers.
RemoteConnection::Statement copied_query(const SourceQuery &query, const std::vector<Oid> &parameter_types,
                                         const CopyPlan &plan);

// COPY of that query TO STDOUT.
RemoteConnection::Statement copy_statement(const SourceQuery &query, const std::vector<Oid> &parameter_types,
                                           const CopyPlan &plan);

class SourceCopy {
  public:
    // Sends the statement and waits for its beginning. Raises the source's errors.
    SourceCopy(SourceSession &source, const SourceQuery &query, const CopyPlan &plan);

    // Fills the buffer with the next bytes, 1 to `size` of them, or 0 at the end: then the source has said that it has
    // sent all, and that these were as many rows as came. Raises the source's errors, 08006, and 08P01 for data that is
    // cut or of another number of rows.
    int read(char *buffer, int size);
    // Receives the end of the source's transaction. Raises 08P01 when read() has not come to the end.
    void finish();

    std::int64_t rows() const { return framing_.rows(); }
    // Of the values; in text format of the lines.
    std::int64_t bytes() const { return framing_.bytes(); }

  private:
    bool next_piece(bool may_wait);
    void end();
    RemoteConnection &connection() const { return source_.connection(); }

    SourceSession &source_;
    RemoteConnection::Statement statement_;
    CopyFraming framing_;
    RemoteConnection::CopyPiece piece_{};
    int given_ = 0; // bytes of the piece that were given out
    bool at_end_ = false;
};

} // namespace pgci
