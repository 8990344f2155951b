#include "connection/authentication_watch.hpp"

#include <charconv>
#include <cstdint>

#include "connection/peek.hpp"

namespace pgci {

namespace {

constexpr std::size_t header_size = 5;          // type and length
constexpr std::uint32_t longest_request = 2000; // libpq refuses longer ones
constexpr std::uint32_t longest_error = 30000;

// AuthenticationRequest messages by their code.
enum Request : std::uint32_t { ok = 0, gss = 7, gss_continue = 8, sspi = 9, sasl_continue = 11, sasl_final = 12 };

std::uint32_t number_at(std::string_view bytes, std::size_t offset) {
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < 4; ++i) number = number << 8 | static_cast<unsigned char>(bytes[offset + i]);
    return number;
}

} // namespace

AuthenticationWatch::Verdict AuthenticationWatch::look(PGconn *connection) {
    if (PQstatus(connection) != CONNECTION_AWAITING_RESPONSE) {
        is_over_ = false; // another address may follow, or the same one without TLS
        return Verdict::pass;
    }
    if (is_over_) return Verdict::pass;
    unsigned char buffer[header_size + longest_request];
    Peek seen = peek(connection, buffer, sizeof buffer);
    switch (seen.state) {
    case Peek::State::bytes:
        return judge({reinterpret_cast<const char *>(buffer), seen.size}, seen.is_whole_record);
    case Peek::State::nothing:
        return Verdict::wait_read;
    case Peek::State::must_send:
        return Verdict::wait_send;
    case Peek::State::failed:
        return refuse(std::move(seen.failure));
    case Peek::State::unknown:
        break;
    }
    return Verdict::pass;
}

AuthenticationWatch::Verdict AuthenticationWatch::judge(std::string_view received, bool is_whole_record) {
    const auto await_rest = [&] {
        return is_whole_record ? refuse("The source sent a part of an authentication request.") : Verdict::wait_rest;
    };
    if (received.size() < header_size + 4) return await_rest();
    const char type = received[0];
    const std::uint32_t length = number_at(received, 1);
    const bool is_request = type == 'R' && length >= 8 && length <= longest_request;
    const bool is_error = type == 'E' && length >= 8 && length <= longest_error && received[header_size] == 'S';
    const bool is_negotiation = type == 'v' && length >= 8 && length <= longest_request && received[header_size] == 0;
    if (!is_request && !is_error && !is_negotiation)
        return refuse("The source sent a message that is not an authentication request.");
    if (is_request) {
        if (received.size() < 1 + length) return await_rest();
        return judge_request(received.substr(header_size, length - 4));
    }
    is_over_ = is_error;
    return Verdict::pass;
}

AuthenticationWatch::Verdict AuthenticationWatch::judge_request(std::string_view body) {
    const std::uint32_t request = number_at(body, 0);
    switch (request) {
    case gss:
    case gss_continue:
    case sspi:
        // libpq would contact a key distribution center and wait for it.
        return password_only_ ? refuse("The source requests an authentication method other than a password.")
                              : Verdict::pass;
    case sasl_continue:
        return judge_iterations(body.substr(4));
    case ok:
        is_over_ = true;
        return Verdict::pass;
    default:
        return request <= sasl_final ? Verdict::pass : refuse("The source requests an unknown authentication method.");
    }
}

// "r=nonce,s=salt,i=iterations"
AuthenticationWatch::Verdict AuthenticationWatch::judge_iterations(std::string_view server_first) {
    is_over_ = true;
    constexpr std::string_view attribute = ",i=";
    const std::size_t place = server_first.find(attribute);
    if (place == std::string_view::npos) return Verdict::pass; // libpq raises the error
    const std::string_view text = server_first.substr(place + attribute.size());
    int iterations = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), iterations);
    if (parsed.ec == std::errc() && iterations <= most_iterations) return Verdict::pass;
    return refuse("The source asks for more than " + std::to_string(most_iterations) +
                  " SCRAM iterations, which would take too long; lower scram_iterations there and set the password "
                  "again.");
}

AuthenticationWatch::Verdict AuthenticationWatch::refuse(std::string reason) {
    reason_ = std::move(reason);
    return Verdict::refuse;
}

} // namespace pgci
