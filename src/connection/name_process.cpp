#include "connection/name_process.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "connection/interruptible_wait.hpp"

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

// The child. It keeps nothing of the server's: no signal handler, no descriptor, no exit callback; and leaves by _exit().
[[noreturn]] void serve(const char *host, int pipe) noexcept {
    struct sigaction by_default {};
    by_default.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number) sigaction(number, &by_default, nullptr);
    setpgid(0, 0); // the server's signals go to groups
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

} // namespace

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
    // No handler of the server's may run in the child.
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
    // It ends without an answer only where something ends it.
    return answer.empty() ? "!the process that looks up names has ended" : answer;
}

} // namespace pgci
