#include "connection/remote_link.hpp"

#include <poll.h>

#include "server/guard.hpp"

namespace pgci {

PGconn *start_connection(const std::vector<ConnectionOption> &options) {
    std::vector<const char *> keywords;
    std::vector<const char *> values;
    for (const ConnectionOption &option : options) {
        keywords.push_back(option.keyword.c_str());
        values.push_back(option.value.c_str());
    }
    keywords.push_back(nullptr);
    values.push_back(nullptr);
    // dbname is never expanded: a connection string in it would get past the checks.
    return PQconnectStartParams(keywords.data(), values.data(), 0);
}

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto cancel_budget = std::chrono::milliseconds(800);

// Waits for a socket without serving interrupts: this runs while an error or the end of the process is under way.
bool wait_for_socket(const PGconn *connection, short events, Clock::time_point deadline) {
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0) return false;
        pollfd descriptor{PQsocket(connection), events, 0};
        const int ready = poll(&descriptor, 1, static_cast<int>(left));
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) return false;
    }
}

bool finish_connecting(PGconn *connection, Clock::time_point deadline) {
    for (PostgresPollingStatusType status = PGRES_POLLING_WRITING; status != PGRES_POLLING_OK;
         status = PQconnectPoll(connection)) {
        if (status == PGRES_POLLING_FAILED || PQstatus(connection) == CONNECTION_BAD) return false;
        if (!wait_for_socket(connection, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline)) return false;
    }
    return true;
}

// The same source and user again; by address, so that no name is looked up twice and a list of hosts stays settled.
std::vector<ConnectionOption> options_to_same_server(const RemoteLink::State &state) {
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

// Cancels the running query over a second connection. PQcancel is no choice: before libpq 17 it blocks, for ever if
// the source is silent. Where this fails, the source notices the closed connection by client_connection_check_interval.
void cancel_running_query(const RemoteLink::State &state) {
    const auto deadline = Clock::now() + cancel_budget;
    const std::unique_ptr<PGconn, decltype(&PQfinish)> second(start_connection(options_to_same_server(state)),
                                                              PQfinish);
    if (second == nullptr || !finish_connecting(second.get(), deadline)) return;
    const std::string sql = "SELECT pg_catalog.pg_cancel_backend(" + std::to_string(state.backend_pid) + ")";
    if (PQsendQuery(second.get(), sql.c_str()) == 0) return;
    while (PQisBusy(second.get()) != 0)
        if (!wait_for_socket(second.get(), POLLIN, deadline) || PQconsumeInput(second.get()) == 0) return;
}

void close(RemoteLink::State &state) noexcept {
    if (state.connection != nullptr) {
        PGconn *const connection = state.connection;
        PQsetNoticeReceiver(
            connection, [](void *, const PGresult *) {}, nullptr);
        if (PQtransactionStatus(connection) == PQTRANS_ACTIVE && state.backend_pid != 0) {
            try {
                cancel_running_query(state);
            } catch (...) {
                // Closing the connection has to do.
            }
        }
        state.connection = nullptr;
        PQfinish(connection);
    }
    if (state.has_descriptor) ReleaseExternalFD();
    state.has_descriptor = false;
}

} // namespace

RemoteLink::RemoteLink(MemoryContext memory) : state_(new State), context_(nullptr) {
    State *const state = state_;
    MemoryContext *const context = &context_;
    try {
        pg_call([=] {
            *context = AllocSetContextCreate(memory, "copy_incremental connection", ALLOCSET_SMALL_SIZES);
            auto *const callback =
                static_cast<MemoryContextCallback *>(MemoryContextAlloc(*context, sizeof(MemoryContextCallback)));
            callback->func = [](void *argument) { close(*static_cast<State *>(argument)); };
            callback->arg = state;
            MemoryContextRegisterResetCallback(*context, callback);
        });
    } catch (...) {
        delete state_;
        throw;
    }
}

RemoteLink::~RemoteLink() {
    MemoryContextDelete(context_); // its callback closes the connection
    delete state_;
}

} // namespace pgci
