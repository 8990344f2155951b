#include "connection/peek.hpp"

#include <sys/socket.h>

#include <cerrno>

// Functions of OpenSSL, which libpq has loaded if it uses TLS. The references are weak, so that this library does not
// depend on it.
extern "C" {
extern int SSL_peek(void *ssl, void *buffer, int size) __attribute__((weak));
extern int SSL_get_error(const void *ssl, int result) __attribute__((weak));
extern void ERR_clear_error() __attribute__((weak));
extern unsigned long ERR_get_error() __attribute__((weak));
extern const char *ERR_reason_error_string(unsigned long error) __attribute__((weak));
}

namespace pgci {

namespace {

Peek peek_socket(int socket, unsigned char *buffer, std::size_t size) {
    ssize_t received = 0;
    do {
        received = recv(socket, buffer, size, MSG_PEEK | MSG_DONTWAIT);
    } while (received < 0 && errno == EINTR);
    if (received > 0) return {.state = Peek::State::bytes, .size = static_cast<std::size_t>(received)};
    const bool is_waiting = received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    return {.state = is_waiting ? Peek::State::nothing : Peek::State::unknown};
}

Peek peek_tls(void *ssl, unsigned char *buffer, std::size_t size) {
    constexpr int ssl_error_ssl = 1;
    constexpr int ssl_error_want_read = 2;
    constexpr int ssl_error_want_write = 3;
    ERR_clear_error();
    const int received = SSL_peek(ssl, buffer, static_cast<int>(size));
    if (received > 0)
        return {.state = Peek::State::bytes, .size = static_cast<std::size_t>(received), .is_whole_record = true};
    switch (SSL_get_error(ssl, received)) {
    case ssl_error_want_read:
        return {.state = Peek::State::nothing};
    case ssl_error_want_write:
        return {.state = Peek::State::must_send};
    case ssl_error_ssl: {
        // A TLS alert: OpenSSL would not report it to libpq again.
        const char *const reason = ERR_reason_error_string(ERR_get_error());
        return {.state = Peek::State::failed,
                .failure = std::string("SSL error: ") + (reason != nullptr ? reason : "unknown")};
    }
    default:
        return {.state = Peek::State::unknown};
    }
}

bool has_openssl() {
    return SSL_peek != nullptr && SSL_get_error != nullptr && ERR_clear_error != nullptr && ERR_get_error != nullptr &&
           ERR_reason_error_string != nullptr;
}

} // namespace

Peek peek(PGconn *connection, unsigned char *buffer, std::size_t size) {
    if (PQgssEncInUse(connection) != 0) return {};
    if (PQsslInUse(connection) == 0) return peek_socket(PQsocket(connection), buffer, size);
    void *const ssl = PQsslStruct(connection, "OpenSSL");
    return ssl != nullptr && has_openssl() ? peek_tls(ssl, buffer, size) : Peek{};
}

} // namespace pgci
