#include "connection/remote_error.hpp"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "server/shown_text.hpp"

namespace pgci {

namespace {

constexpr std::size_t longest_message = 1024;
constexpr std::size_t longest_detail = 2048;

bool is_sqlstate(std::string_view code) {
    return code.size() == 5 && std::all_of(code.begin(), code.end(),
                                           [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); });
}

// Returns the SQLSTATE with which an error of the source is raised. Replaces codes that mean success, or that control
// this server (a cancel, a shutdown, conditions of PL/pgSQL).
SqlState local_state(std::string_view remote) {
    if (!is_sqlstate(remote)) return sqlstate::connection_lost;
    const std::string_view category = remote.substr(0, 2);
    if (category == "00" || category == "01" || category == "02") return sqlstate::connection_lost;
    if (remote.starts_with("57P0")) return sqlstate::connection_lost;
    if (category == "P0" || remote == "57014") return sqlstate::external_routine_error;
    return SqlState::from_text(remote);
}

void append_line(std::string &text, const std::string &line) {
    if (line.empty()) return;
    if (!text.empty()) text += '\n';
    text += line;
}

} // namespace

ErrorReport remote_error_report(const PGresult *result, const std::string &source, const std::string &retry_hint,
                                const std::string &query, int query_offset) {
    const auto field = [&](int code, std::size_t longest) {
        return sanitize(PQresultErrorField(result, code), longest);
    };
    const std::string remote_state = field(PG_DIAG_SQLSTATE, 6);
    const SqlState state = local_state(remote_state);

    ErrorReport report{.code = state, .message = field(PG_DIAG_MESSAGE_PRIMARY, longest_message)};
    if (report.message.empty()) report.message = sanitize(PQresultErrorMessage(result), longest_message);
    if (report.message.empty()) report.message = "source server reported an error without a message";
    report.detail = field(PG_DIAG_MESSAGE_DETAIL, longest_detail);
    if (is_sqlstate(remote_state) && !(state == SqlState::from_text(remote_state)))
        append_line(report.detail, "The source server reported SQLSTATE " + remote_state + ".");
    report.hint = field(PG_DIAG_MESSAGE_HINT, longest_detail);
    if (report.hint.empty() && (state == sqlstate::connection_lost || state == SqlState("40001") ||
                                state == SqlState("40P01") || state == SqlState("55P03")))
        report.hint = retry_hint;
    if (report.hint.empty() && remote_state == "57014")
        report.hint = "If the source's statement_timeout has expired, raise it there for the user that connects: ALTER "
                      "ROLE ... SET statement_timeout; or give the foreign server the option options "
                      "'-c statement_timeout=0'.";
    append_line(report.context, field(PG_DIAG_CONTEXT, longest_detail));
    append_line(report.context, "on source server " + source);

    const char *const position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    if (position != nullptr && !query.empty()) {
        const int shown = std::atoi(position) - query_offset;
        if (shown > 0) {
            report.query = query;
            report.position = shown;
        }
    }
    return report;
}

bool is_of_libpq(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_SQLSTATE) == nullptr &&
           PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) == nullptr;
}

bool is_out_of_memory(std::string_view message) { return message.starts_with("out of memory"); }

ErrorReport connection_lost_report(const PGconn *connection, const std::string &source, const std::string &retry_hint) {
    const std::string reason = sanitize(PQerrorMessage(connection), longest_message);
    const bool out_of_memory = is_out_of_memory(reason);
    return ErrorReport{.code = out_of_memory ? sqlstate::out_of_memory : sqlstate::connection_lost,
                       .message = out_of_memory ? "out of memory" : "connection to source server was lost",
                       .detail = reason,
                       .hint = retry_hint,
                       .context = "on source server " + source};
}

} // namespace pgci
