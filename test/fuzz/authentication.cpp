// Messages of authentication: however they are cut, the same is let through, and never a number of SCRAM iterations that
// libpq would take long for.
#include "connection/authentication_watch.hpp"

#include <cstdlib>

#include "fuzz.hpp"

namespace {

using Watch = pgci::AuthenticationWatch;
using Verdict = Watch::Verdict;

Verdict judge(std::string_view received, bool is_whole_record, bool password_only) {
    Watch watch(password_only);
    const Verdict verdict = watch.judge(received, is_whole_record);
    fuzz::require((verdict == Verdict::refuse) == !watch.reason().empty(), "who refuses says why, and nobody else");
    return verdict;
}

// A prefix that says enough is judged as the whole is; any other waits for its rest.
void check_prefixes(std::string_view message, bool password_only) {
    const Verdict whole = judge(message, false, password_only);
    for (std::size_t size = 0; size <= message.size(); ++size) {
        const Verdict part = judge(message.substr(0, size), false, password_only);
        fuzz::require(part == Verdict::wait_rest || part == whole, "a part is judged as the whole is");
        const Verdict record = judge(message.substr(0, size), true, password_only);
        fuzz::require(record == (part == Verdict::wait_rest ? Verdict::refuse : part),
                      "a record that ends within a message is refused");
    }
}

// The value of an attribute "a=value," at the front, as libpq's read_attr_value takes it; nullptr if there is none.
const char *take_attribute(std::string &text, char name, std::string &value) {
    if (text.size() < 2 || text[0] != name || text[1] != '=') return nullptr;
    const std::size_t end = text.find(',');
    value = text.substr(2, end == std::string::npos ? end : end - 2);
    text = end == std::string::npos ? "" : text.substr(end + 1);
    return value.c_str();
}

// How many hashes libpq would compute for a server-first-message; 0 if it refuses the message.
long iterations_of(std::string text) {
    std::string nonce, salt, value;
    if (text.find('\0') != std::string::npos || take_attribute(text, 'r', nonce) == nullptr ||
        take_attribute(text, 's', salt) == nullptr || take_attribute(text, 'i', value) == nullptr)
        return 0;
    char *end = nullptr;
    const int iterations = static_cast<int>(std::strtol(value.c_str(), &end, 10));
    return *end != '\0' || iterations < 1 ? 0 : iterations;
}

std::string message(char type, const std::string &body) {
    const auto length = static_cast<std::uint32_t>(body.size() + 4);
    std::string bytes(1, type);
    for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(length >> shift & 0xFF);
    return bytes + body;
}

void check_iterations(const std::string &server_first) {
    const bool is_slow = iterations_of(server_first) > Watch::most_iterations;
    const Verdict verdict = judge(message('R', std::string("\0\0\0\13", 4) + server_first), false, true);
    fuzz::require(!is_slow || verdict == Verdict::refuse, "what takes libpq long is refused", server_first);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const std::string input(fuzz::text(data, size));
    for (const bool password_only : {false, true}) {
        check_prefixes(input, password_only);
        check_prefixes(message('R', input), password_only);
    }
    check_iterations(input);
    check_iterations("r=nonce,s=c2FsdA==,i=" + input);
    check_iterations("r=nonce" + input);

    // What servers send in earnest passes, whatever the salt and the nonce are.
    if (input.find_first_of(std::string_view(",\0", 2)) == std::string::npos) {
        const std::string first = std::string("\0\0\0\13", 4) + "r=" + input + ",s=" + input + ",i=4096";
        fuzz::require(judge(message('R', first), false, true) == Verdict::pass, "4096 iterations pass");
    }
    return 0;
}
