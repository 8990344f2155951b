#include "connection/remote_link.hpp"

#include <chrono>
#include <poll.h>

#include "connection/answer_memory.hpp"
#include "connection/connection_attempt.hpp"
#include "connection/interruptible_wait.hpp"

namespace pgci {

namespace {

constexpr auto cancel_budget = std::chrono::milliseconds(800);
constexpr std::int64_t most_bytes_of_answer = 1 << 20;

void ignore_notices(PGconn *connection) noexcept {
    PQsetNoticeReceiver(
        connection, [](void *, const PGresult *) {}, nullptr);
}

// Waits for a socket, or for the time only (-1). Does not process interrupts, because an error is being handled or the
// process is ending. Returns false if the deadline has passed or the wait failed.
bool wait_for_socket(int socket, short events, const Deadline &deadline) {
    while (!deadline.has_passed()) {
        const long most = socket < 0 ? ConnectionAttempt::pause_milliseconds : cancel_budget.count();
        pollfd descriptor{socket, events, 0};
        const int ready = poll(&descriptor, 1, static_cast<int>(deadline.left(most)));
        if (ready > 0 || (ready == 0 && socket < 0)) return true;
        if (ready < 0 && errno != EINTR) return false;
    }
    return false;
}

bool finish_connecting(ConnectionAttempt &attempt, const Deadline &deadline, std::int64_t most_allocated) {
    using State = ConnectionAttempt::State;
    while (attempt.state() != State::connected) {
        if (attempt.state() == State::failed || allocated_bytes() > most_allocated) return false;
        const int socket = attempt.state() == State::pause ? -1 : PQsocket(attempt.connection());
        if (!wait_for_socket(socket, attempt.state() == State::read ? POLLIN : POLLOUT, deadline)) return false;
        attempt.advance();
    }
    return true;
}

// Options to connect to the same server as the same user. They contain the address, so that no name is looked up again
// and libpq does not choose another of several hosts.
std::vector<ConnectionOption> options_to_same_server(const LinkState &state) {
    std::vector<ConnectionOption> options;
    for (const ConnectionOption &option : state.options)
        if (option.keyword != "host" && option.keyword != "hostaddr" && option.keyword != "port")
            options.push_back(option);
    options.push_back({"host", PQhost(state.connection)});
    options.push_back({"port", PQport(state.connection)});
    const std::string_view address = PQhostaddr(state.connection);
    if (!address.empty()) options.push_back({"hostaddr", std::string(address)});
    return options;
}

// Cancels the running query over a second connection. PQcancel is not usable: before libpq 17 it blocks without a time
// limit if the source does not answer. If this fails, the source detects the closed connection by
// client_connection_check_interval.
void cancel_running_query(const LinkState &state) {
    const Deadline deadline(cancel_budget);
    ConnectionAttempt attempt(options_to_same_server(state), state.password_only);
    const std::unique_ptr<PGconn, decltype(&PQfinish)> second(attempt.connection(), PQfinish);
    // libpq would write them to the log.
    ignore_notices(attempt.connection());
    const std::int64_t most_allocated = allocated_bytes() + most_bytes_of_answer;
    if (!finish_connecting(attempt, deadline, most_allocated)) return;
    const std::string sql = "SELECT pg_catalog.pg_cancel_backend(" + std::to_string(state.backend_pid) + ")";
    // In single-row mode the first row ends the wait, so libpq does not collect an answer.
    if (PQsendQuery(second.get(), sql.c_str()) == 0 || PQsetSingleRowMode(second.get()) == 0) return;
    while (PQisBusy(second.get()) != 0)
        if (allocated_bytes() > most_allocated || !wait_for_socket(PQsocket(second.get()), POLLIN, deadline) ||
            PQconsumeInput(second.get()) == 0)
            return;
}

} // namespace

void LinkState::release() noexcept {
    if (connection != nullptr) {
        ignore_notices(connection);
        if (PQtransactionStatus(connection) == PQTRANS_ACTIVE && backend_pid != 0) {
            try {
                cancel_running_query(*this);
            } catch (...) {
                // PQfinish closes the connection all the same.
            }
        }
        PQfinish(connection);
        connection = nullptr;
    }
    if (has_descriptor) ReleaseExternalFD();
    has_descriptor = false;
}

} // namespace pgci
