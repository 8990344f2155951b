// How many rows a FETCH asks for, and how many FETCHes are asked for ahead of the rows. Pure C++.
#pragma once

#include <algorithm>
#include <cstdint>

namespace pgci {

// Rows that are wide make a FETCH smaller, and narrow ones let it grow again. One FETCH in flight caps the rate at its
// rows a round trip, so as long as rows have to be waited for, more FETCHes are asked for ahead, as far as what is in
// flight stays within the bound, and is no more than twice what has arrived: the rows may be about to end.
class FetchAhead {
  public:
    // `batch` rows at most, and about `bound` bytes at most, for one FETCH as for all that are in flight.
    FetchAhead(int batch, std::int64_t bound, bool in_pipeline)
        : batch_(batch), bound_(bound), rows_(batch), depth_(in_pipeline ? least_depth : 1), in_pipeline_(in_pipeline) {
    }

    // Rows to ask for in the next FETCH.
    int rows() const { return rows_; }
    // How many FETCHes to have in flight, the one that is being received included.
    int depth() const { return depth_; }

    // A FETCH has brought all its rows, of so many bytes; `had_to_wait`: they were not there when they were wanted.
    void learn(int rows, std::int64_t bytes, bool had_to_wait) {
        if (rows == 0) return;
        const std::int64_t width = std::max<std::int64_t>(bytes / rows, 1);
        const std::int64_t fitting = std::max<std::int64_t>(bound_ / width, 1);
        rows_ = static_cast<int>(std::min({fitting, std::int64_t{rows_} * 2, std::int64_t{batch_}}));
        if (!in_pipeline_) return;
        ++arrived_;
        const std::int64_t sensible = std::min(fitting / rows_, 2 * arrived_ + least_depth);
        const int most = static_cast<int>(std::clamp<std::int64_t>(sensible, least_depth, most_depth));
        depth_ = std::min(had_to_wait ? depth_ * 2 : depth_, most);
    }

  private:
    static constexpr int least_depth = 2;
    static constexpr int most_depth = 512;

    int batch_;
    std::int64_t bound_;
    int rows_;
    int depth_;
    bool in_pipeline_;
    std::int64_t arrived_ = 0; // FETCHes
};

} // namespace pgci
