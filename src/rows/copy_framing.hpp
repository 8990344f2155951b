// The framing of COPY's data, walked over as the pieces pass by: where rows and values begin and end. Pure C++.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pgci {

class CopyFraming {
  public:
    explicit CopyFraming(bool is_binary) noexcept
        : part_(is_binary ? Part::header : Part::line), needed_(is_binary ? header_size : 0) {}

    // Walks over the next bytes, wherever they are cut. What is malformed ends the walk, and the data is not complete then.
    void walk(const char *data, std::size_t size) noexcept;

    // Is this the end of the data: behind the trailer of the binary format, or behind a line of text?
    bool is_complete() const noexcept { return part_ == Part::end || (part_ == Part::line && !is_in_line_); }
    // Rows that have begun (binary) or ended (text).
    std::int64_t rows() const noexcept { return rows_; }
    // Bytes of the values (binary) or of the lines (text).
    std::int64_t bytes() const noexcept { return bytes_; }

  private:
    enum class Part { header, extension, field_count, length, value, end, line, malformed };

    static constexpr std::size_t header_size = 19; // signature, flags, length of the extension

    void begin(Part part, std::size_t needed) noexcept;
    const char *walk_row(const char *data, const char *end) noexcept;
    const char *walk_binary(const char *data, const char *end) noexcept;
    void walk_text(const char *data, const char *end) noexcept;
    void end_part() noexcept;

    Part part_;
    std::size_t needed_;       // bytes that the part still lacks
    std::uint32_t number_ = 0; // the last four bytes of a part, big-endian
    int fields_ = 0;           // of the row, still to come
    bool is_in_line_ = false;
    std::int64_t rows_ = 0;
    std::int64_t bytes_ = 0;
};

} // namespace pgci
