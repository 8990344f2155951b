// The framing of COPY's data: however the data is cut, the same rows and bytes are counted, and the end is seen.
#include "rows/copy_framing.hpp"

#include <algorithm>

#include "fuzz.hpp"

namespace {

// Walks over the text in pieces of this size.
pgci::CopyFraming walked(std::string_view text, bool is_binary, std::size_t piece) {
    pgci::CopyFraming framing(is_binary);
    for (std::size_t at = 0; at < text.size(); at += piece)
        framing.walk(text.data() + at, std::min(piece, text.size() - at));
    return framing;
}

bool same(const pgci::CopyFraming &one, const pgci::CopyFraming &other) {
    return one.rows() == other.rows() && one.bytes() == other.bytes() && one.is_complete() == other.is_complete();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const std::string_view input = fuzz::text(data, size);
    const std::string behind_header = std::string("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19) + std::string(input);
    for (const std::string_view text : {input, std::string_view(behind_header)}) {
        for (const bool is_binary : {false, true}) {
            const pgci::CopyFraming whole = walked(text, is_binary, std::max<std::size_t>(text.size(), 1));
            fuzz::require(whole.rows() >= 0 && whole.bytes() >= 0, "no count is negative");
            fuzz::require(whole.rows() <= static_cast<std::int64_t>(text.size()), "a row has a byte");
            for (const std::size_t piece : {1, 2, 3, 7, 64})
                fuzz::require(same(whole, walked(text, is_binary, piece)), "pieces are counted as the whole is");
        }
    }
    return 0;
}
