// Follows the framing of COPY data while the pieces arrive: where rows and values begin and end. Pure C++.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pgci {

class CopyFraming {
  public:
    explicit CopyFraming(bool is_binary) noexcept
        : part_(is_binary ? Part::header : Part::line), needed_(is_binary ? header_size : 0) {}

    // Consumes the next bytes, cut at any position. After invalid data it consumes no more, and is_complete() returns
    // false.
    void walk(const char *data, std::size_t size) noexcept;

    // Returns whether this is the end of the data: after the trailer in binary format, after a complete line in text
    // format.
    bool is_complete() const noexcept { return part_ == Part::end || (part_ == Part::line && !is_in_line_); }
    // Number of rows that have begun (binary) or ended (text).
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
    std::size_t needed_;       // missing bytes of the part
    std::uint32_t number_ = 0; // the last four bytes of a part, big-endian
    int fields_ = 0;           // remaining fields of the row
    bool is_in_line_ = false;
    std::int64_t rows_ = 0;
    std::int64_t bytes_ = 0;
};

} // namespace pgci
