// A connection to a source. Every wait can be cancelled. The destructor closes the connection and cancels its query.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "connection/answer_memory.hpp"
#include "connection/connection_options.hpp"
#include "connection/remote_error.hpp"
#include "connection/remote_link.hpp"
#include "connection/source_messages.hpp"
#include "connection/source_slot.hpp"

namespace pgci {

class RemoteConnection {
  public:
    // Waits for a slot of the source, then connects within connect_timeout (10 s if it is not set). Raises 08001, 08004, 2F003,
    // 53000, 53300, 53400. `memory` owns the connection.
    RemoteConnection(const ConnectionOptions &options, MemoryContext memory, const WaitObserver &observer = {},
                     ConnectionUse use = ConnectionUse::reads);
    RemoteConnection(const RemoteConnection &) = delete;
    RemoteConnection &operator=(const RemoteConnection &) = delete;

    // A statement to send: its text, the part of it that the user wrote (for error positions), and its parameters.
    struct Statement {
        std::string sql;
        std::string shown_query{}; // error positions refer to this text
        int shown_offset = 0;      // number of characters of `sql` before `shown_query`
        std::string hint{};        // used if an error of the source has no hint
        std::vector<std::string> parameters{};
        bool binary_result = false;
    };

    // Sends a statement by the extended protocol (one statement, bound parameters) without waiting for its result. In a
    // pipeline, `has_sync` says whether a Sync follows it; several statements can share one. The source sends the results
    // of all statements before a Sync at the latest when it arrives.
    void send(const Statement &statement, bool has_sync = true);
    // Sends the last sent statement, which had no parameters, again. In a pipeline only.
    void send_again(const Statement &statement, bool has_sync);
    // Asks to parse a statement and to describe its parameters and result columns. In a pipeline only.
    void send_describe(const Statement &statement);
    Result receive_description(const Statement &statement);

    // Receives the result of the oldest pending statement, a command that returns no rows. Raises an error of the
    // source as described in remote_error.hpp, and 08P01 for any other answer. To receive rows, use a Question.
    Result receive_command(const Statement &statement);
    // The same for a command that must have this tag.
    void receive_command(const Statement &statement, const char *tag);

    // During its lifetime, errors about unexpected answers name the question. 08P01 ends an answer for which libpq
    // allocates much more memory than `most_bytes` need, even if it consists of many messages.
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
        const char *const kind_; // the previous values
        const std::int64_t most_bytes_;
    };

    // Enables pipeline mode: many statements can be sent before the first result is received, and each ends with a
    // Sync. All results must have been received, here and below.
    void enter_pipeline();
    // Disables pipeline mode.
    void leave_pipeline();
    bool is_in_pipeline() const { return PQpipelineStatus(link_->connection) != PQ_PIPELINE_OFF; }
    // Whether the connection is not known to be lost.
    bool is_open() const { return PQstatus(link_->connection) == CONNECTION_OK; }
    // Whether another run can use the connection: it is open as far as known, and nothing is in progress.
    bool is_idle();
    // The number of times that a result had to be waited for.
    std::int64_t waits() const { return waits_; }

    // How libpq keeps the rows of a result: all of them until the last has arrived, or as many as have arrived, up to a
    // number. Results of several rows are faster; see can_receive_chunks().
    enum class Rows : std::uint8_t { whole_result, one_by_one, in_chunks };
    // Whether libpq can return a result in chunks, as it can since version 17.
    static bool can_receive_chunks();
    // Begins to receive the rows of a statement. All results of earlier statements must have been received.
    // `chunk` is the most rows of a chunk.
    void begin_rows(Rows rows = Rows::one_by_one, int chunk = 1);

    // A row of a result.
    struct Row {
        const PGresult *result = nullptr; // null for no row
        int number = 0;
    };
    // Returns the next row if it has arrived. PostgreSQL code: it neither waits nor throws. The row is valid until the
    // next call.
    Row row_at_hand() noexcept;
    // Waits for a row or for the end of the rows. Returns null for a row, which row_at_hand() then returns, and the
    // final result at the end. `has_sync` as for send().
    Result await_row(const Statement &statement, bool has_sync = true);
    // Frees the result of which all rows were returned.
    void release_rows() noexcept;
    // The command tag of the rows that were received, such as "FETCH 200". `end` is what await_row() has returned. libpq
    // gives the tag to the last chunk if that is not full.
    const char *command_tag(const PGresult *end) const noexcept {
        const char *const tag = PQcmdStatus(const_cast<PGresult *>(end));
        return tag[0] != '\0' ? tag : chunk_tag_.data();
    }
    // The result that has the row for which await_row() has waited.
    const PGresult *result_at_hand() const { return rows_.get(); }

    // Sends a COPY ... TO STDOUT, which must not be in a pipeline, and waits for the start of its data. Returns the
    // result that describes it.
    Result begin_copy(const Statement &statement);
    // A piece of COPY data. The size is 0 if none has arrived, and -1 at the end.
    struct CopyPiece {
        std::unique_ptr<char, decltype(&PQfreemem)> data{nullptr, PQfreemem};
        int size = 0;
    };
    // Returns the next piece if it has arrived. Does not wait.
    CopyPiece copy_piece_at_hand();
    // Waits for the next piece or the end. After the end, receive_command() returns the result.
    CopyPiece await_copy_piece();

    int server_version() const { return PQserverVersion(link_->connection); }
    // The encoding of the source's database; empty if a proxy does not report it.
    std::string server_encoding() const {
        const char *const name = PQparameterStatus(link_->connection, "server_encoding");
        return name != nullptr ? name : "";
    }
    const std::string &source() const { return source_; }

    // Sets what the hints of errors say about the target, by default "Nothing was written".
    void set_written(const char *what) noexcept { written_ = what; }
    // Sets the process at the source that a cancel signals; 0 for none. libpq's own number is that of a pooler, if
    // there is one.
    void set_backend_pid(int pid) { link_->backend_pid = pid; }
    // Raises 08P01 if the source has changed client_encoding or standard_conforming_strings.
    void check_protocol_settings();
    // Raises 08P01 for an answer that a PostgreSQL server would not send.
    [[noreturn]] void raise_protocol_violation(const std::string &what);

  private:
    std::string retry_hint() const { return std::string(written_) + "; run again."; }
    void send_checked(int sent, bool has_sync = true);
    bool is_busy();
    void check_memory();
    PGresult *next_result();
    void drop_part() noexcept;
    void receive_end(const Statement &statement, bool has_sync = true);
    void wait(int socket_events);
    [[noreturn]] void raise_result_error(const PGresult *result, const Statement &statement);

    std::string source_;
    const char *written_ = "Nothing was written";
    SourceMessages messages_{}; // libpq adds to them during the lifetime of the link
    SourceSlot slot_;           // is released after the link is closed
    RemoteLink link_;
    Result rows_{};    // the result that has arrived
    int next_row_ = 0; // of this result
    std::array<char, COMPLETION_TAG_BUFSIZE> chunk_tag_{};
    std::int64_t waits_ = 0;
    const char *asked_ = nullptr; // the current question, for errors; null: none
    AnswerMemory memory_{};       // memory of its answer
};

} // namespace pgci
