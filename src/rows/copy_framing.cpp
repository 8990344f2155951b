#include "rows/copy_framing.hpp"

#include <algorithm>
#include <cstring>

namespace pgci {

void CopyFraming::walk(const char *data, std::size_t size) noexcept {
    const char *const end = data + size;
    if (part_ == Part::line) return walk_text(data, end);
    while (data != end && part_ != Part::malformed) {
        const char *const behind_row = part_ == Part::field_count && needed_ == 2 ? walk_row(data, end) : nullptr;
        data = behind_row != nullptr ? behind_row : walk_binary(data, end);
    }
}

// Skips a complete row at once, which is the usual case. Returns null if the row is not complete.
const char *CopyFraming::walk_row(const char *data, const char *end) noexcept {
    const auto byte = [&](int i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(data[i])); };
    if (end - data < 2) return nullptr;
    const auto fields = static_cast<std::int16_t>(byte(0) << 8 | byte(1));
    if (fields < 0) return nullptr;
    data += 2;
    std::int64_t bytes = 0;
    for (int i = 0; i < fields; ++i) {
        if (end - data < 4) return nullptr;
        const auto length = static_cast<std::int32_t>(byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3));
        data += 4;
        if (length < -1 || end - data < length) return nullptr;
        if (length <= 0) continue;
        data += length;
        bytes += length;
    }
    ++rows_;
    bytes_ += bytes;
    return data;
}

void CopyFraming::begin(Part part, std::size_t needed) noexcept {
    part_ = part;
    needed_ = needed;
    number_ = 0;
}

// Consumes the available bytes of a part. After the last one, continues with the next part.
const char *CopyFraming::walk_binary(const char *data, const char *end) noexcept {
    if (part_ == Part::end) {
        begin(Part::malformed, 0);
        return end;
    }
    const std::size_t taken = std::min(needed_, static_cast<std::size_t>(end - data));
    if (part_ != Part::value && part_ != Part::extension)
        for (std::size_t i = 0; i < taken; ++i) number_ = number_ << 8 | static_cast<unsigned char>(data[i]);
    needed_ -= taken;
    if (needed_ == 0) end_part();
    return data + taken;
}

void CopyFraming::end_part() noexcept {
    const auto number = static_cast<std::int32_t>(number_);
    switch (part_) {
    case Part::header:
        if (number < 0) return begin(Part::malformed, 0);
        if (number > 0) return begin(Part::extension, number_);
        return begin(Part::field_count, 2);
    case Part::field_count:
        fields_ = static_cast<std::int16_t>(number_);
        if (fields_ == -1) return begin(Part::end, 0);
        if (fields_ < 0) return begin(Part::malformed, 0);
        ++rows_;
        break;
    case Part::length:
        if (number < -1) return begin(Part::malformed, 0);
        --fields_;
        if (number > 0) {
            bytes_ += number;
            return begin(Part::value, number_);
        }
        break;
    default:
        break;
    }
    if (part_ == Part::extension || fields_ == 0) return begin(Part::field_count, 2);
    begin(Part::length, 4);
}

void CopyFraming::walk_text(const char *data, const char *end) noexcept {
    bytes_ += end - data;
    while (data != end) {
        const auto *const newline =
            static_cast<const char *>(std::memchr(data, '\n', static_cast<std::size_t>(end - data)));
        is_in_line_ = newline == nullptr;
        if (is_in_line_) return;
        ++rows_;
        data = newline + 1;
    }
}

} // namespace pgci
