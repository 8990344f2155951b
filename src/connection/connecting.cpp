#include "connection/connecting.hpp"

#include <chrono>

#include "connection/connect_failure.hpp"
#include "connection/connection_attempt.hpp"
#include "connection/credential_rules.hpp"
#include "connection/host_lookup.hpp"
#include "connection/interruptible_wait.hpp"

namespace pgci {

namespace {

// Each wait needs a file descriptor. Its own error, if there is none, has no useful hint.
bool has_descriptor_to_wait() {
    return pg_call([] {
        const bool acquired = AcquireExternalFD();
        if (acquired) ReleaseExternalFD();
        return acquired;
    });
}

// Waits for the next step. Returns whether the socket is ready; libpq must not be called before.
bool wait_for(const ConnectionAttempt &attempt, const Deadline &deadline) {
    using State = ConnectionAttempt::State;
    if (attempt.state() == State::pause) {
        wait_interruptibly(PGINVALID_SOCKET, 0, deadline.left(ConnectionAttempt::pause_milliseconds));
        return true;
    }
    return wait_interruptibly(PQsocket(attempt.connection()),
                              attempt.state() == State::read ? WL_SOCKET_READABLE : WL_SOCKET_WRITEABLE,
                              deadline.left(longest_wait));
}

[[noreturn]] void raise_failed(const ConnectionAttempt &attempt, const ConnectionOptions &options) {
    if (!attempt.refusal().empty()) raise_connection_failed(options, attempt.refusal());
    const ConnectionAttempt::Reason reason = attempt.reason();
    if (reason.text.empty()) raise_connection_failed(options, "The source does not read what is sent to it.");
    raise_connection_failed_redacted(options, reason.text, reason.sqlstate);
}

} // namespace

void connect_link(RemoteLink &link, const ConnectionOptions &options, MemoryContext memory, const MessageTaker &taker) {
    const Deadline deadline{std::chrono::seconds(connect_timeout(options))};
    link->has_descriptor = pg_call([] { return AcquireExternalFD(); });
    if (!link->has_descriptor || !has_descriptor_to_wait())
        raise(sqlstate::out_of_descriptors, "could not connect to source server \"" + options.display_name() + "\"",
              "Raise the server's limit on open files and, with it, max_files_per_process.",
              "There are too many open files on the server.");
    AddressedOptions addressed = look_up_hosts(options, deadline, memory);
    if (!addressed.found && addressed.failure.empty()) raise_connection_timed_out(options);
    if (!addressed.found) raise_connection_failed_redacted(options, addressed.failure);
    link->options = std::move(addressed.options);
    link->password_only = must_use_password(options);

    ConnectionAttempt attempt(link->options, link->password_only);
    link->connection = attempt.connection();
    PQsetNoticeReceiver(link->connection, taker.receiver, taker.argument);
    while (attempt.state() != ConnectionAttempt::State::connected) {
        if (attempt.state() == ConnectionAttempt::State::failed) raise_failed(attempt, options);
        if (deadline.has_passed()) raise_connection_timed_out(options);
        if (!wait_for(attempt, deadline)) continue;
        attempt.advance();
        taker.after_step();
    }
}

} // namespace pgci
