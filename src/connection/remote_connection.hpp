// One connection to a source. Every wait can be cancelled; nothing outlives the owner, not even a running query.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "connection/answer_memory.hpp"
#include "connection/connection_options.hpp"
#include "connection/remote_error.hpp"
#include "connection/remote_link.hpp"
#include "connection/source_messages.hpp"

namespace pgci {

class RemoteConnection {
  public:
    // Connects within connect_timeout (10 s unless given). Raises 08001, 2F003, 53000.
    // It lasts no longer than `memory`.
    RemoteConnection(const ConnectionOptions &options, MemoryContext memory);
    RemoteConnection(const RemoteConnection &) = delete;
    RemoteConnection &operator=(const RemoteConnection &) = delete;

    // How a statement travels: its text, what part of it the user wrote (for error positions), its parameters.
    struct Statement {
        std::string sql;
        std::string shown_query{}; // what error positions point into
        int shown_offset = 0;      // characters of `sql` before `shown_query`
        std::string hint{};        // for an error to which the source gives none
        std::vector<std::string> parameters{};
        bool binary_result = false;
    };

    // Sends a statement by the extended protocol (one statement, bound parameters) without waiting for its result.
    void send(const Statement &statement);
    // Parses a statement and describes it: its parameters and result columns.
    Result describe(const Statement &statement);
    // Sends several statements by the simple protocol, outside of a pipeline.
    void send_script(const Statement &script);
    // The next result of a script, which must be that of a command with this tag.
    void receive_script_command(const Statement &script, const std::string &tag);

    // The one result of the oldest statement whose result was not received, a command without rows. A remote error is
    // raised as such; anything else that the source may send is 08P01. Whoever wants rows asks a Question.
    Result receive_command(const Statement &statement);

    // While it lives, messages about wrong answers name what was asked, and 08P01 ends an answer for which libpq holds
    // much more memory than this many bytes need, however the answer is cut into messages.
    class Expectation {
      public:
        Expectation(RemoteConnection &connection, const char *kind, std::int64_t most_bytes) noexcept
            : connection_(connection), kind_(std::exchange(connection.asked_, kind)),
              most_bytes_(connection.memory_.set_most(most_bytes)) {}
        ~Expectation() {
            connection_.asked_ = kind_;
            connection_.memory_.set_most(most_bytes_);
        }
        Expectation(const Expectation &) = delete;
        Expectation &operator=(const Expectation &) = delete;

      private:
        RemoteConnection &connection_;
        const char *const kind_; // those of before
        const std::int64_t most_bytes_;
    };

    // From here on many statements may be sent before the first result is received, and each has an end of its own.
    // False where libpq cannot do that; then it stays one statement at a time.
    bool enter_pipeline();
    // Goes back to one statement at a time, when the results of all were received.
    void leave_pipeline();
    bool is_in_pipeline() const { return PQpipelineStatus(link_->connection) != PQ_PIPELINE_OFF; }
    // How often a result had to be waited for.
    std::int64_t waits() const { return waits_; }

    // The rows of a statement, one by one as they arrive, so that no more than one is held whole. begin_rows() is to
    // be called when the results of all statements before it were received.
    void begin_rows();
    // The next row if it is here, else null: PostgreSQL code, which neither waits nor throws. It lives until the next
    // call.
    const PGresult *row_at_hand() noexcept;
    // Waits for a row, which row_at_hand() then has (null is returned), or for the end of the rows, which is returned.
    Result await_row(const Statement &statement);
    void release_row() noexcept { row_.reset(); }
    // The row that was waited for.
    const PGresult *peek_row() const { return arrived_.get(); }

    // Sends a COPY ... TO STDOUT, which must not be in a pipeline, and waits for the beginning of its data, which is
    // returned.
    Result begin_copy(const Statement &statement);
    // A piece of the data of a COPY: its size is 0 where none is here, -1 where all were received.
    struct CopyPiece {
        std::unique_ptr<char, decltype(&PQfreemem)> data{nullptr, PQfreemem};
        int size = 0;
    };
    // The next piece if it is here; does not wait.
    CopyPiece copy_piece_at_hand();
    // Waits for the next piece or the end; after the end, receive() has the result.
    CopyPiece await_copy_piece();

    int server_version() const { return PQserverVersion(link_->connection); }
    // The encoding of the source's database, empty where a proxy does not tell.
    std::string server_encoding() const {
        const char *const name = PQparameterStatus(link_->connection, "server_encoding");
        return name != nullptr ? name : "";
    }
    const std::string &source() const { return source_; }

    // What the hints of errors say about the target; nothing was written, unless this was called.
    void set_written(const char *what) noexcept { written_ = what; }
    // The process that serves us, for cancelling, 0 for none; libpq's own number is a pooler's where one stands between.
    void set_backend_pid(int pid) { link_->backend_pid = pid; }
    // Raises 08P01 when the source has changed the encoding of what it sends, or how it reads strings.
    void check_protocol_settings();
    // Raises 08P01: the source did what no PostgreSQL server does.
    [[noreturn]] void raise_protocol_violation(const std::string &what);

  private:
    std::string retry_hint() const { return std::string(written_) + "; run again."; }
    void send_checked(int sent);
    bool is_busy();
    void check_memory();
    PGresult *next_result();
    void receive_end(const Statement &statement);
    void wait(int socket_events);
    [[noreturn]] void raise_result_error(const PGresult *result, const Statement &statement);

    std::string source_;
    const char *written_ = "Nothing was written";
    SourceMessages messages_{}; // libpq adds to them as long as the link lives
    RemoteLink link_;
    Result row_{};     // given out by row_at_hand()
    Result arrived_{}; // and not yet given out
    std::int64_t waits_ = 0;
    const char *asked_ = nullptr; // what wrong answers answer; null: no question
    AnswerMemory memory_{};       // of its answer
};

} // namespace pgci
