#include "rows/source_copy.hpp"

#include "server/guard.hpp"
#include "server/sql_text.hpp"
#include "template/template_scanner.hpp"
#include "target/conversion.hpp"

namespace pgci {

namespace {

// COPY has no parameters, so they become constants of the types that the source has determined.
std::string with_constants(const SourceQuery &query, const std::vector<Oid> &types) {
    if (query.parameters().empty()) return query.text();
    std::vector<std::string> constants;
    for (std::size_t i = 0; i < query.parameters().size(); ++i) {
        if (types[i] >= first_unstable_oid)
            raise(sqlstate::feature_not_supported,
                  "method copy cannot pass the parameter $" + std::to_string(i + 1) +
                      ", which has a type of the source",
                  "Use method => 'cursor', or a cast such as $1::timestamptz.");
        constants.push_back("CAST(" + quote_literal(query.parameters()[i]) + " AS " + qualified_type_name(types[i]) +
                            ")");
    }
    return replace_parameters(query.text(), scan_template(query.text(), "query template", "SELECT"), constants);
}

} // namespace

// The line break ends a comment at the end of the query.
RemoteConnection::Statement copied_query(const SourceQuery &query, const std::vector<Oid> &parameter_types,
                                         const CopyPlan &plan) {
    std::string head;
    std::string tail;
    if (!plan.is_whole_query) {
        head = "SELECT ";
        for (std::size_t i = 0; i < plan.columns.size(); ++i) {
            const CopyColumn &column = plan.columns[i];
            if (i > 0) head += ", ";
            head += "q." + quote_identifier(column.name);
            if (OidIsValid(column.cast)) head += "::" + qualified_type_name(column.cast);
        }
        head += " FROM (";
        tail = "\n) AS q";
    }
    const int offset = pg_mbstrlen_with_len(head.data(), static_cast<int>(head.size()));
    const std::string text = with_constants(query, parameter_types);
    return {.sql = head + text + tail, .shown_query = text, .shown_offset = offset};
}

RemoteConnection::Statement copy_statement(const SourceQuery &query, const std::vector<Oid> &parameter_types,
                                           const CopyPlan &plan) {
    constexpr std::string_view head = "COPY (";
    RemoteConnection::Statement statement = copied_query(query, parameter_types, plan);
    statement.sql = std::string(head) + statement.sql + "\n) TO STDOUT (FORMAT " + format_name(plan) + ")";
    statement.shown_offset += static_cast<int>(head.size());
    return statement;
}

SourceCopy::SourceCopy(SourceSession &source, const SourceQuery &query, const CopyPlan &plan, Throttle &throttle)
    : source_(source), statement_(copy_statement(query, source.parameter_types(), plan)), framing_(plan.is_binary),
      throttle_(throttle) {
    // COPY uses the extended protocol, which accepts only one statement.
    if (connection().is_in_pipeline()) connection().leave_pipeline();
    const Result begin = connection().begin_copy(statement_);
    if (PQnfields(begin.get()) != static_cast<int>(plan.columns.size()) ||
        (PQbinaryTuples(begin.get()) != 0) != plan.is_binary)
        connection().raise_protocol_violation("another number or format of columns than asked for");
}

// Returns whether there is another piece. If it may not wait, returns false if none has arrived.
bool SourceCopy::next_piece(bool may_wait) {
    // Meanwhile the source sends no more than fits into the buffers on the way.
    if (!throttle_.may_read()) {
        if (!may_wait) return false;
        throttle_.wait();
    }
    given_ = 0;
    // The end has been seen after data that COPY must process first.
    if (piece_.size < 0) {
        end();
        return false;
    }
    piece_ = may_wait ? connection().await_copy_piece() : connection().copy_piece_at_hand();
    const std::int64_t before = rows();
    if (piece_.size > 0) framing_.walk(piece_.data.get(), static_cast<std::size_t>(piece_.size));
    throttle_.count(rows() - before);
    if (piece_.size < 0 && may_wait) end();
    return piece_.size > 0;
}

int SourceCopy::read(char *buffer, int size) {
    int filled = 0;
    while (filled < size && !at_end_) {
        if (given_ >= piece_.size && !next_piece(filled == 0)) break;
        const int count = std::min(size - filled, piece_.size - given_);
        std::memcpy(buffer + filled, piece_.data.get() + given_, static_cast<std::size_t>(count));
        filled += count;
        given_ += count;
    }
    return filled;
}

void SourceCopy::end() {
    const Result result = connection().receive_command(statement_);
    const std::string_view tag = PQcmdStatus(result.get());
    if (tag != "COPY " + std::to_string(rows()))
        connection().raise_protocol_violation(std::to_string(rows()) + " rows received, " + std::string(tag) +
                                              " announced");
    if (!framing_.is_complete()) connection().raise_protocol_violation("data of COPY without its end");
    connection().check_protocol_settings();
    at_end_ = true;
    source_.send_commit();
}

void SourceCopy::finish() {
    if (!at_end_) connection().raise_protocol_violation("data of COPY after its end");
    source_.receive_commit();
}

} // namespace pgci
