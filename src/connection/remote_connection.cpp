#include "connection/remote_connection.hpp"

#include "server/guard.hpp"
#include "server/shown_text.hpp"
#include "connection/connecting.hpp"
#include "connection/credential_rules.hpp"
#include "connection/interruptible_wait.hpp"

// Absent from libpq before version 17, so the reference is weak.
extern "C" int PQsetChunkedRowsMode(PGconn *connection, int rows) __attribute__((weak));

namespace pgci {

namespace {

constexpr std::size_t longest_complaint = 1024;
constexpr std::int64_t most_description_bytes = 1 << 20; // 1,664 columns with names of up to 63 bytes
constexpr std::int64_t most_command_bytes = 8 << 20;     // an error may quote a value of the query

// Whether more results of the same statement follow.
bool is_part(const PGresult *result) {
    constexpr auto chunk = static_cast<ExecStatusType>(12); // PGRES_TUPLES_CHUNK
    const ExecStatusType status = PQresultStatus(result);
    return status == PGRES_SINGLE_TUPLE || status == chunk;
}

} // namespace

RemoteConnection::RemoteConnection(const ConnectionOptions &options, MemoryContext memory, const WaitObserver &observer,
                                   ConnectionUse use)
    : source_(options.display_name()), slot_(options, observer, use), link_(memory) {
    connect_link(link_, options, memory,
                 {SourceMessages::collect, &messages_, [this] { messages_.take(link_->connection); }});
    check_password_used(options, PQconnectionUsedPassword(link_->connection) != 0);
}

void RemoteConnection::wait(int socket_events) {
    wait_interruptibly(PQsocket(link_->connection), socket_events, longest_wait);
}

void RemoteConnection::send_checked(int sent, bool has_sync) {
    PGconn *const connection = link_->connection;
    if (sent != 0 && !has_sync) return;
    if (sent != 0 && is_in_pipeline()) sent = PQpipelineSync(connection);
    // The next wait sends what the socket does not accept now.
    if (sent == 0 || PQflush(connection) < 0) raise(connection_lost_report(connection, source_, retry_hint()));
}

void RemoteConnection::send(const Statement &statement, bool has_sync) {
    std::vector<const char *> values;
    for (const std::string &parameter : statement.parameters) values.push_back(parameter.c_str());
    send_checked(PQsendQueryParams(link_->connection, statement.sql.c_str(), static_cast<int>(values.size()), nullptr,
                                   values.data(), nullptr, nullptr, statement.binary_result ? 1 : 0),
                 has_sync);
}

// PQsendQueryParams() has left it as the unnamed prepared statement.
void RemoteConnection::send_again(const Statement &statement, bool has_sync) {
    send_checked(
        PQsendQueryPrepared(link_->connection, "", 0, nullptr, nullptr, nullptr, statement.binary_result ? 1 : 0),
        has_sync);
}

void RemoteConnection::enter_pipeline() {
    if (PQenterPipelineMode(link_->connection) == 0) raise_protocol_violation("a result that was not asked for");
}

void RemoteConnection::leave_pipeline() {
    if (PQexitPipelineMode(link_->connection) == 0) raise_protocol_violation("a result that was not asked for");
}

// Reads what has arrived, because the source sends a message when it closes an idle connection.
bool RemoteConnection::is_idle() {
    PGconn *const connection = link_->connection;
    if (PQconsumeInput(connection) == 0) return false;
    messages_.take(connection);
    return PQstatus(connection) == CONNECTION_OK && PQtransactionStatus(connection) == PQTRANS_IDLE &&
           PQisBusy(connection) == 0 && !is_in_pipeline();
}

void RemoteConnection::send_describe(const Statement &statement) {
    send_checked(PQsendPrepare(link_->connection, "", statement.sql.c_str(), 0, nullptr));
    send_checked(PQsendDescribePrepared(link_->connection, ""));
}

Result RemoteConnection::receive_description(const Statement &statement) {
    const Expectation expectation(*this, "the description of the query", most_description_bytes);
    receive_command(statement);
    return receive_command(statement);
}

Result RemoteConnection::receive_command(const Statement &statement) {
    const Expectation expectation(*this, asked_, memory_.most() < 0 ? most_command_bytes : memory_.most());
    Result result(next_result());
    if (result == nullptr) raise_protocol_violation("no result");
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_FATAL_ERROR) raise_result_error(result.get(), statement);
    if (status != PGRES_COMMAND_OK) raise_protocol_violation(PQresStatus(status));
    receive_end(statement);
    return result;
}

void RemoteConnection::receive_command(const Statement &statement, const char *tag) {
    const Result result = receive_command(statement);
    const std::string_view sent = PQcmdStatus(result.get());
    if (sent != tag) raise_protocol_violation(std::string(sent) + " instead of " + tag);
}

// Receives the end of a statement: no further result, and in a pipeline the answer to its Sync.
void RemoteConnection::receive_end(const Statement &statement, bool has_sync) {
    if (const Result second{next_result()}; second != nullptr) {
        if (PQresultStatus(second.get()) == PGRES_FATAL_ERROR) raise_result_error(second.get(), statement);
        raise_protocol_violation("more than one result");
    }
    if (!is_in_pipeline() || !has_sync) return;
    const Result sync(next_result());
    if (sync == nullptr) raise_protocol_violation("no end of a statement");
    const ExecStatusType status = PQresultStatus(sync.get());
    if (status == PGRES_FATAL_ERROR) raise_result_error(sync.get(), statement);
    if (status != PGRES_PIPELINE_SYNC) raise_protocol_violation(PQresStatus(status));
}

// Reads the socket. Returns whether the next result is incomplete.
bool RemoteConnection::is_busy() {
    PGconn *const connection = link_->connection;
    // libpq may allocate memory for a whole message when it parses the beginning.
    memory_.start();
    bool is_busy = PQisBusy(connection) != 0;
    check_memory();
    if (is_busy) {
        if (PQconsumeInput(connection) == 0) raise(connection_lost_report(connection, source_, retry_hint()));
        messages_.take(connection);
        is_busy = PQisBusy(connection) != 0;
        check_memory();
    }
    // If libpq has no memory for the answer to a Sync, it reports this once and then miscounts the statements.
    const char *const complaint = PQerrorMessage(connection);
    if (is_out_of_memory(complaint)) throw std::bad_alloc();
    // libpq has found invalid data. It would otherwise wait for an end that may never arrive.
    if (is_busy && complaint[0] != '\0') raise_protocol_violation(sanitize(complaint, longest_complaint));
    return is_busy;
}

// Raises 08P01 if libpq has allocated too much memory for an answer.
void RemoteConnection::check_memory() {
    if (!memory_.is_within()) raise_protocol_violation("more than " + std::to_string(memory_.most()) + " bytes");
}

PGresult *RemoteConnection::next_result() {
    PGconn *const connection = link_->connection;
    // If results always arrive in time, no wait processes interrupts.
    check_for_interrupts();
    memory_.begin();
    while (is_busy()) {
        const int rest = PQflush(connection);
        if (rest < 0) raise(connection_lost_report(connection, source_, retry_hint()));
        ++waits_;
        wait(WL_SOCKET_READABLE | (rest > 0 ? WL_SOCKET_WRITEABLE : 0));
    }
    return PQgetResult(connection);
}

bool RemoteConnection::can_receive_chunks() { return PQsetChunkedRowsMode != nullptr; }

void RemoteConnection::begin_rows(Rows rows, int chunk) {
    int is_set = 1;
    if (rows == Rows::in_chunks) is_set = PQsetChunkedRowsMode(link_->connection, chunk);
    if (rows == Rows::one_by_one) is_set = PQsetSingleRowMode(link_->connection);
    if (is_set == 0) raise_protocol_violation("a result that was not asked for");
    chunk_tag_[0] = '\0';
}

RemoteConnection::Row RemoteConnection::row_at_hand() noexcept {
    while (true) {
        if (rows_ == nullptr) {
            if (PQisBusy(link_->connection) != 0) return {};
            rows_.reset(PQgetResult(link_->connection));
            next_row_ = 0;
        }
        if (next_row_ < PQntuples(rows_.get())) return {rows_.get(), next_row_++};
        if (!is_part(rows_.get())) return {};
        drop_part();
    }
}

void RemoteConnection::release_rows() noexcept {
    if (is_part(rows_.get()) && next_row_ == PQntuples(rows_.get())) drop_part();
}

void RemoteConnection::drop_part() noexcept {
    strlcpy(chunk_tag_.data(), PQcmdStatus(rows_.get()), chunk_tag_.size());
    rows_.reset();
}

Result RemoteConnection::await_row(const Statement &statement, bool has_sync) {
    release_rows();
    if (rows_ == nullptr) {
        rows_.reset(next_result());
        next_row_ = 0;
    }
    if (rows_ == nullptr) raise_protocol_violation("no result");
    const ExecStatusType status = PQresultStatus(rows_.get());
    if (is_part(rows_.get()) || (status == PGRES_TUPLES_OK && next_row_ < PQntuples(rows_.get()))) return nullptr;
    Result end = std::move(rows_);
    if (status == PGRES_FATAL_ERROR) raise_result_error(end.get(), statement);
    if (status != PGRES_TUPLES_OK) raise_protocol_violation(PQresStatus(status));
    receive_end(statement, has_sync);
    return end;
}

Result RemoteConnection::begin_copy(const Statement &statement) {
    send(statement);
    const Expectation expectation(*this, asked_, most_command_bytes);
    Result result(next_result());
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_FATAL_ERROR) raise_result_error(result.get(), statement);
    if (status != PGRES_COPY_OUT) raise_protocol_violation(PQresStatus(status));
    return result;
}

RemoteConnection::CopyPiece RemoteConnection::copy_piece_at_hand() {
    PGconn *const connection = link_->connection;
    char *data = nullptr;
    CopyPiece piece;
    piece.size = PQgetCopyData(connection, &data, 1);
    piece.data.reset(data);
    if (piece.size >= -1) return piece;
    if (PQstatus(connection) == CONNECTION_BAD) raise(connection_lost_report(connection, source_, retry_hint()));
    const std::string complaint = sanitize(PQerrorMessage(connection), longest_complaint);
    if (is_out_of_memory(complaint)) throw std::bad_alloc();
    raise_protocol_violation(complaint);
}

RemoteConnection::CopyPiece RemoteConnection::await_copy_piece() {
    PGconn *const connection = link_->connection;
    check_for_interrupts();
    CopyPiece piece = copy_piece_at_hand();
    for (bool has_read = false; piece.size == 0; has_read = true) {
        if (has_read) {
            ++waits_;
            wait(WL_SOCKET_READABLE);
        }
        if (PQconsumeInput(connection) == 0) raise(connection_lost_report(connection, source_, retry_hint()));
        messages_.take(connection);
        piece = copy_piece_at_hand();
    }
    return piece;
}

void RemoteConnection::check_protocol_settings() {
    const char *const encoding = PQparameterStatus(link_->connection, "client_encoding");
    const char *const strings = PQparameterStatus(link_->connection, "standard_conforming_strings");
    if (encoding != nullptr && pg_char_to_encoding(encoding) != GetDatabaseEncoding())
        raise_protocol_violation("client_encoding is not that of this database");
    if (strings != nullptr && std::string_view(strings) != "on")
        raise_protocol_violation("standard_conforming_strings is off");
}

void RemoteConnection::raise_protocol_violation(const std::string &what) {
    const std::string asked = asked_ != nullptr ? std::string(" in answer to ") + asked_ : "";
    raise(ErrorReport{.code = sqlstate::protocol_violation,
                      .message = "source server sent an unexpected response",
                      .detail = "Unexpected: " + what + asked + ".",
                      .hint = std::string(written_) + "; check proxies and versions.",
                      .context = "on source server " + source_});
}

void RemoteConnection::raise_result_error(const PGresult *result, const Statement &statement) {
    PGconn *const connection = link_->connection;
    if (PQstatus(connection) == CONNECTION_BAD && PQresultErrorField(result, PG_DIAG_SQLSTATE) == nullptr)
        raise(connection_lost_report(connection, source_, retry_hint()));
    if (is_of_libpq(result)) {
        const std::string complaint = sanitize(PQresultErrorMessage(result), longest_complaint);
        if (is_out_of_memory(complaint)) throw std::bad_alloc();
        raise_protocol_violation(complaint);
    }
    // The source has usually ended the statement together with its error, and the other statements of the transaction
    // fail immediately. There is nothing to cancel.
    if (PQresultErrorField(result, PG_DIAG_SQLSTATE) != nullptr) set_backend_pid(0);
    ErrorReport report =
        remote_error_report(result, source_, retry_hint(), statement.shown_query, statement.shown_offset);
    if (report.hint.empty()) report.hint = statement.hint;
    if (report.hint.empty() && report.code == sqlstate::insufficient_privilege)
        report.hint = "Grant the privilege at the source to the role that connects there. If row-level security is the "
                      "reason, give that role BYPASSRLS.";
    raise(report);
}

} // namespace pgci
