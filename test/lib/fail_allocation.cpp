// Preloaded into a server by test/t/server_out_of_memory.pl: lets one allocation of one process fail, the n-th of a kind.
// The library under test has no hook for it. The order is a file, named by PGCI_FAIL_ALLOCATION, that is mapped here
// and written by the test; once the allocation has failed, its countdown is 0 and its process too.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>

extern "C" {
void *__libc_malloc(std::size_t);
void *__libc_calloc(std::size_t, std::size_t);
void *__libc_realloc(void *, std::size_t);
}

namespace {

enum class Kind : std::int32_t {
    bad_alloc = 1,   // operator new throws std::bad_alloc
    logic_error = 2, // operator new throws std::logic_error
    number = 3,      // operator new throws 1
    libpq = 4,       // malloc, called by libpq, returns null
    server = 5,      // malloc, called by the server itself, returns null
};

struct Order {
    std::int32_t pid;
    Kind kind;
    std::int64_t countdown;
};

volatile Order *order = nullptr;
std::size_t spared_calloc = 0; // the size of the elements that libpq always gets
const void *server = nullptr;  // where its program begins in memory; its name is gone once it has a title

__attribute__((constructor)) void read_orders() {
    Dl_info program;
    if (dladdr(reinterpret_cast<const void *>(getauxval(AT_ENTRY)), &program) != 0) server = program.dli_fbase;
    const char *const path = std::getenv("PGCI_FAIL_ALLOCATION");
    const int file = path == nullptr ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return;
    void *const memory = mmap(nullptr, sizeof(Order), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (memory != MAP_FAILED) order = static_cast<Order *>(memory);
    if (const char *const size = std::getenv("PGCI_SPARED_CALLOC")) spared_calloc = std::strtoul(size, nullptr, 10);
}

bool is_armed() { return order != nullptr && order->pid != 0 && order->pid == getpid(); }

// Counts an allocation of the kind that is to fail. Is it the one?
bool is_due() {
    order->countdown = order->countdown - 1;
    if (order->countdown > 0) return false;
    order->pid = 0;
    return true;
}

bool malloc_fails(const void *caller) {
    if (!is_armed() || (order->kind != Kind::libpq && order->kind != Kind::server)) return false;
    Dl_info module;
    if (dladdr(caller, &module) == 0) return false;
    const bool counts =
        order->kind == Kind::libpq ? std::strstr(module.dli_fname, "/libpq.so") != nullptr : module.dli_fbase == server;
    if (!counts || !is_due()) return false;
    errno = ENOMEM;
    return true;
}

} // namespace

void *operator new(std::size_t size) {
    if (is_armed() && order->kind <= Kind::number && is_due()) {
        switch (order->kind) {
        case Kind::logic_error:
            throw std::logic_error("injected");
        case Kind::number:
            throw 1;
        default:
            throw std::bad_alloc();
        }
    }
    void *const memory = __libc_malloc(size);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }

extern "C" {

void *malloc(std::size_t size) { return malloc_fails(__builtin_return_address(0)) ? nullptr : __libc_malloc(size); }

void *calloc(std::size_t count, std::size_t size) {
    const bool is_spared = size == spared_calloc && is_armed() && order->kind == Kind::libpq;
    return !is_spared && malloc_fails(__builtin_return_address(0)) ? nullptr : __libc_calloc(count, size);
}

void *realloc(void *memory, std::size_t size) {
    return malloc_fails(__builtin_return_address(0)) ? nullptr : __libc_realloc(memory, size);
}

char *strdup(const char *text) {
    if (malloc_fails(__builtin_return_address(0))) return nullptr;
    const std::size_t size = std::strlen(text) + 1;
    void *const memory = __libc_malloc(size);
    return memory == nullptr ? nullptr : static_cast<char *>(std::memcpy(memory, text, size));
}

} // extern "C"
