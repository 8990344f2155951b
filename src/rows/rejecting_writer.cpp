#include "rows/rejecting_writer.hpp"

#include <algorithm>

#include "server/guard.hpp"
#include "server/memory.hpp"
#include "server/subtransaction.hpp"
#include "ledger/rejects.hpp"

namespace pgci {

std::int64_t RejectingWriter::write() {
    const std::size_t count = batch_.count();
    const std::int64_t rejected_before = rejected_;
    std::int64_t written = count == 0 ? whole_.write() : 0;
    for (std::size_t begin = 0; begin < count; begin += portion_)
        written += write_range(begin, std::min(count, begin + std::min(portion_, count - begin)), false);
    const auto rejected = static_cast<std::size_t>(rejected_ - rejected_before);
    portion_ = rejected == 0 ? whole_batch : std::max<std::size_t>(count / (rejected + 1), 1);
    return written;
}

// If the rows are known to fail together, tries only parts of them.
std::int64_t RejectingWriter::write_range(std::size_t begin, std::size_t end, bool is_known_to_fail) {
    if (!is_known_to_fail || end - begin == 1) {
        const std::optional<std::int64_t> written = try_range(begin, end);
        if (written) return *written;
        if (end - begin == 1) return 0;
    }
    const std::size_t middle = begin + (end - begin) / 2;
    const std::int64_t rejected_before = rejected_;
    const std::int64_t first = write_range(begin, middle, false);
    return first + write_range(middle, end, rejected_ == rejected_before);
}

// Returns nothing if the rows fail. A single row is then recorded as a reject.
std::optional<std::int64_t> RejectingWriter::try_range(std::size_t begin, std::size_t end) {
    std::int64_t written = 0;
    std::int64_t dropped = 0;
    std::optional<RunFailure> failure = in_subtransaction(
        [&] {
            // Memory of a released subtransaction is freed only at the end of the transaction.
            const TemporaryMemory memory(CurTransactionContext);
            SpiWriter writer(whole_);
            written = writer.write(begin, end);
            writer.finish();
            dropped = writer.dropped();
        },
        is_row_error);
    if (!failure) {
        dropped_ += dropped;
        return written;
    }
    if (end - begin == 1) {
        ++rejected_;
        const TemporaryMemory memory;
        reject_(begin, std::move(*failure));
    }
    return std::nullopt;
}

} // namespace pgci
