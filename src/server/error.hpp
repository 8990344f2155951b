// An error of this extension: SQLSTATE, message, detail, hint. Pure C++.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace pgci {

// A SQLSTATE in the packed form of PostgreSQL's errcode().
class SqlState {
  public:
    consteval SqlState(const char (&code)[6]) : packed_(pack(std::string_view(code, 5))) {}

    // `code` must be five characters out of [0-9A-Z]; the caller checks this.
    static constexpr SqlState from_text(std::string_view code) { return SqlState(pack(code)); }

    constexpr int packed() const { return packed_; }
    constexpr bool operator==(const SqlState &) const = default;

  private:
    constexpr explicit SqlState(int packed) : packed_(packed) {}

    static constexpr int pack(std::string_view code) {
        int packed = 0;
        for (int i = 0; i < 5; ++i) packed += ((code[static_cast<std::size_t>(i)] - '0') & 0x3F) << (6 * i);
        return packed;
    }

    int packed_;
};

namespace sqlstate {
inline constexpr SqlState connection_failed{"08001"};
inline constexpr SqlState connection_refused{"08004"};
inline constexpr SqlState connection_lost{"08006"};
inline constexpr SqlState protocol_violation{"08P01"};
inline constexpr SqlState feature_not_supported{"0A000"};
inline constexpr SqlState invalid_transaction{"2D000"};
inline constexpr SqlState password_required{"2F003"};
inline constexpr SqlState null_not_allowed{"22004"};
inline constexpr SqlState datetime_overflow{"22008"};
inline constexpr SqlState invalid_parameter{"22023"};
inline constexpr SqlState read_only_transaction{"25006"};
inline constexpr SqlState external_routine_error{"38000"};
inline constexpr SqlState insufficient_privilege{"42501"};
inline constexpr SqlState serialization_failure{"40001"};
inline constexpr SqlState syntax_error{"42601"};
inline constexpr SqlState duplicate_column{"42701"};
inline constexpr SqlState undefined_column{"42703"};
inline constexpr SqlState undefined_object{"42704"};
inline constexpr SqlState duplicate_object{"42710"};
inline constexpr SqlState datatype_mismatch{"42804"};
inline constexpr SqlState wrong_object_type{"42809"};
inline constexpr SqlState undefined_table{"42P01"};
inline constexpr SqlState ambiguous_target{"42P09"};
inline constexpr SqlState no_such_key{"42P10"};
inline constexpr SqlState outside_slice{"44000"};
inline constexpr SqlState no_rows{"P0002"};
inline constexpr SqlState too_many_rejects{"54000"};
inline constexpr SqlState too_complex{"54001"};
inline constexpr SqlState too_many_columns{"54011"};
inline constexpr SqlState not_in_prerequisite_state{"55000"};
inline constexpr SqlState rows_do_not_match{"22000"};
inline constexpr SqlState out_of_descriptors{"53000"};
inline constexpr SqlState out_of_memory{"53200"};
inline constexpr SqlState too_many_connections{"53300"};
inline constexpr SqlState configuration_limit{"53400"};
inline constexpr SqlState object_in_use{"55006"};
inline constexpr SqlState crashed{"57P02"};
// Of this extension: PostgreSQL has no class PI.
inline constexpr SqlState already_loaded{"PI001"};
inline constexpr SqlState not_settled{"PI002"};
inline constexpr SqlState ids_restarted{"PI003"};
inline constexpr SqlState snapshot_lost{"PI004"};
inline constexpr SqlState internal_error{"XX000"};
} // namespace sqlstate

// The content of an error; empty texts are not sent. Texts follow PostgreSQL's message style guide.
struct ErrorReport {
    SqlState code;
    std::string message;
    std::string detail{};
    std::string hint{};
    std::string context{}; // a line of CONTEXT below those of the error context stack
    std::string query{};   // the text that `position` points into
    int position = 0;      // 1-based character in `query`, 0 = none
};

// The exception of code that does not call PostgreSQL. Other code calls raise() of guard.hpp, which keeps the current
// error context.
class Error : public std::exception {
  public:
    explicit Error(ErrorReport report) : report_(std::move(report)) {}
    Error(SqlState code, std::string message, std::string hint = {}, std::string detail = {})
        : report_{code, std::move(message), std::move(detail), std::move(hint)} {}

    const ErrorReport &report() const noexcept { return report_; }
    const char *what() const noexcept override { return report_.message.c_str(); }

  private:
    ErrorReport report_;
};

} // namespace pgci
