#include "connection/host_lookup.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/memory.hpp"

namespace pgci {

namespace {

constexpr std::size_t longest_answer = 1 << 16;

void write_all(const std::string &text) {
    for (std::size_t done = 0; done < text.size();) {
        const ssize_t written = write(STDOUT_FILENO, text.data() + done, text.size() - done);
        if (written <= 0) return;
        done += static_cast<std::size_t>(written);
    }
}

std::string addresses_of(const char *host) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo *list = nullptr;
    const int code = getaddrinfo(host, nullptr, &hints, &list);
    if (code != 0) return std::string("!") + (code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
    std::string text;
    for (const addrinfo *entry = list; entry != nullptr; entry = entry->ai_next) {
        char address[NI_MAXHOST];
        if (getnameinfo(entry->ai_addr, entry->ai_addrlen, address, sizeof address, nullptr, 0, NI_NUMERICHOST) == 0)
            text.append(address).append("\n");
    }
    return text;
}

void close_from(int first) {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
    closefrom(first);
#else
    const long most = std::min(sysconf(_SC_OPEN_MAX), 65536L);
    for (int descriptor = first; descriptor < most; ++descriptor) close(descriptor);
#endif
}

// The child process. It resets signal handlers, closes the server's descriptors and ends by _exit(), which skips exit
// callbacks.
[[noreturn]] void serve(const char *host, int pipe) noexcept {
    struct sigaction by_default {};
    by_default.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number) sigaction(number, &by_default, nullptr);
    setpgid(0, 0); // the server signals process groups
    // What it sent to the group before that was for the session alone.
    struct sigaction ignored {};
    ignored.sa_handler = SIG_IGN;
    for (const int number : {SIGINT, SIGTERM, SIGQUIT}) sigaction(number, &ignored, nullptr);
    const int null = open("/dev/null", O_RDWR);
    dup2(pipe, STDOUT_FILENO);
    dup2(null, STDIN_FILENO);
    dup2(null, STDERR_FILENO);
    close_from(STDERR_FILENO + 1);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    try {
        write_all(addresses_of(host));
    } catch (...) {
        _exit(1);
    }
    _exit(0);
}

// A child process that calls getaddrinfo() for a host name and writes the addresses to a pipe. release() kills it.
struct NameProcess {
    pid_t pid = -1;
    int answer = -1; // the end of the pipe that this process reads
    bool has_descriptor = false;

    // Starts the child. Returns false, with errno set, if there is no process or file descriptor available.
    bool start(const char *host);
    void release() noexcept;
};

bool NameProcess::start(const char *host) {
    has_descriptor = pg_call([] { return AcquireExternalFD(); });
    if (!has_descriptor) {
        errno = EMFILE;
        return false;
    }
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return false;
    answer = ends[0];
    fcntl(ends[1], F_SETFL, 0);
    // Block all signals: the server's handlers must not run in the child.
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0) serve(host, ends[1]);
    const int error = errno;
    sigprocmask(SIG_SETMASK, &before, nullptr);
    close(ends[1]);
    errno = error;
    return pid > 0;
}

void NameProcess::release() noexcept {
    if (pid > 0) {
        kill(pid, SIGKILL);
        while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
        }
        pid = -1;
    }
    if (answer >= 0) close(answer);
    answer = -1;
    if (has_descriptor) ReleaseExternalFD();
    has_descriptor = false;
}

// Reads everything that the child writes: one line for each address, or "!" and a reason. Returns an empty text if the
// deadline has passed.
std::string await_answer(const NameProcess &process, const Deadline &deadline) {
    std::string answer;
    while (answer.size() < longest_answer) {
        char buffer[4096];
        const ssize_t size = read(process.answer, buffer, sizeof buffer);
        if (size > 0) {
            answer.append(buffer, static_cast<std::size_t>(size));
        } else if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
            if (deadline.has_passed()) return {};
            wait_interruptibly(process.answer, WL_SOCKET_READABLE, deadline.left(longest_wait));
        } else {
            break;
        }
    }
    // Without an answer, the process was killed.
    return answer.empty() ? "!the process that looks up names has ended" : answer;
}

// An entry of the lists host, hostaddr and port, which libpq tries one after the other.
struct Endpoint {
    std::string host;
    std::string address;
    std::string port;
};

std::vector<std::string> split(std::string_view list, char separator) {
    std::vector<std::string> parts;
    for (std::size_t end = list.find(separator); end != std::string_view::npos; end = list.find(separator)) {
        parts.emplace_back(list.substr(0, end));
        list.remove_prefix(end + 1);
    }
    parts.emplace_back(list);
    return parts;
}

bool is_numeric(const std::string &host) {
    unsigned char address[sizeof(in6_addr)];
    return inet_pton(AF_INET, host.c_str(), address) == 1 || inet_pton(AF_INET6, host.c_str(), address) == 1;
}

bool needs_lookup(const Endpoint &endpoint) {
    const std::string &host = endpoint.host;
    return endpoint.address.empty() && !host.empty() && host[0] != '/' && host[0] != '@' && !is_numeric(host);
}

// Returns none if the lists have different lengths; libpq raises the error.
std::vector<Endpoint> endpoints_of(const ConnectionOptions &options) {
    const std::vector<std::string> hosts = split(options.value_or("host", ""), ',');
    const std::string_view address_list = options.value_or("hostaddr", "");
    std::vector<std::string> addresses = split(address_list, ',');
    if (address_list.empty()) addresses.resize(hosts.size());
    const std::vector<std::string> ports = split(options.value_or("port", ""), ',');
    if (addresses.size() != hosts.size() || (ports.size() != 1 && ports.size() != hosts.size())) return {};
    std::vector<Endpoint> endpoints;
    for (std::size_t i = 0; i < hosts.size(); ++i)
        endpoints.push_back({hosts[i], addresses[i], ports[ports.size() == 1 ? 0 : i]});
    return endpoints;
}

std::string join(const std::vector<Endpoint> &endpoints, std::string Endpoint::*part) {
    std::string list;
    for (const Endpoint &endpoint : endpoints)
        list.append(list.empty() && &endpoint == &endpoints[0] ? "" : ",").append(endpoint.*part);
    return list;
}

} // namespace

AddressedOptions look_up_hosts(const ConnectionOptions &options, const Deadline &deadline, MemoryContext memory) {
    const std::vector<Endpoint> endpoints = endpoints_of(options);
    if (std::none_of(endpoints.begin(), endpoints.end(), needs_lookup)) return {.options = options.options};
    std::vector<Endpoint> addressed;
    std::string failure;
    for (const Endpoint &endpoint : endpoints) {
        if (!needs_lookup(endpoint)) {
            addressed.push_back(endpoint);
            continue;
        }
        const ContextOwned<NameProcess> process(memory);
        const std::string answer = process->start(endpoint.host.c_str())
                                       ? await_answer(*process, deadline)
                                       : std::string("!could not start a process that looks it up: ") + strerror(errno);
        if (answer.empty()) return {.found = false};
        if (answer[0] == '!') {
            failure += "could not translate host name \"" + endpoint.host + "\" to address: " + answer.substr(1) + "\n";
            continue;
        }
        for (const std::string &address : split(std::string_view(answer).substr(0, answer.size() - 1), '\n'))
            addressed.push_back({endpoint.host, address, endpoint.port});
    }
    if (addressed.empty()) return {.found = false, .failure = failure};
    ConnectionOptions result = options;
    result.set("host", join(addressed, &Endpoint::host));
    result.set("hostaddr", join(addressed, &Endpoint::address));
    if (options.find("port") != nullptr) result.set("port", join(addressed, &Endpoint::port));
    return {.options = std::move(result.options)};
}

} // namespace pgci
