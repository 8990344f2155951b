#include "fuzz/server_fuzz.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <unordered_set>

extern "C" {
PG_MODULE_MAGIC;
void __sanitizer_cov_trace_pc();
}

namespace {

constexpr std::size_t map_size = 1 << 18;
std::uint8_t reached_map[map_size];
std::size_t reached_places = 0;
std::size_t seen_by_is_new = 0;
std::unordered_set<std::string> error_sites;

} // namespace

// The compiler calls it in each block of the code of src/.
__attribute__((no_sanitize_coverage)) void __sanitizer_cov_trace_pc() {
    const auto place = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
    std::uint8_t &entry = reached_map[place % map_size];
    if (entry == 0) {
        entry = 1;
        ++reached_places;
    }
}

namespace fuzz {

std::size_t reached() { return reached_places + error_sites.size(); }

bool is_new() {
    const bool result = reached() > seen_by_is_new;
    seen_by_is_new = reached();
    return result;
}

std::string mutate(Random &random, std::string input, const Corpus &others, const Corpus &dictionary) {
    constexpr std::size_t longest = 4096;
    constexpr std::uint64_t numbers[] = {0,          1,          0x7F,       0x80,       0xFF,       0x7FFF,
                                         0x8000,     0xFFFF,     0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x4000,
                                         0x40000000, 0x3FFFFFFF, 0x10000,    5,          10000,      0xC000};
    for (std::size_t changes = 1 + random.below(4); changes > 0; --changes) {
        const std::size_t at = input.empty() ? 0 : random.below(input.size());
        const std::size_t length = input.empty() ? 0 : 1 + random.below(std::min<std::size_t>(input.size() - at, 16));
        switch (random.below(dictionary.empty() ? 8 : 11)) {
        case 0:
            if (!input.empty()) input[at] = static_cast<char>(input[at] ^ 1 << random.below(8));
            break;
        case 1:
            if (!input.empty()) input[at] = static_cast<char>(random.below(256));
            break;
        case 2: {
            const std::size_t bytes = std::size_t{1} << random.below(4);
            const std::uint64_t number = random.one_of(4) ? random.below(300) : random.pick(numbers);
            for (std::size_t i = 0; i < bytes && at + i < input.size(); ++i)
                input[at + i] = static_cast<char>(number >> 8 * (bytes - 1 - i));
            break;
        }
        case 3:
            input.erase(at, length);
            break;
        case 4:
            input.insert(at, input.substr(at, length));
            break;
        case 5:
            input.insert(at, 1, static_cast<char>(random.below(256)));
            break;
        case 6:
            input.resize(at);
            break;
        case 7: {
            if (others.empty()) break;
            const std::string &other = random.pick(others);
            const std::size_t from = other.empty() ? 0 : random.below(other.size());
            input = input.substr(0, at) + other.substr(from);
            break;
        }
        default:
            input.insert(at, random.pick(dictionary));
            break;
        }
    }
    if (input.size() > longest) input.resize(longest);
    return input;
}

// A file "fuzz.input" in the data folder: the length, and the bytes. Shared memory outlives a process that crashes.
void note(const std::string &input) {
    constexpr std::size_t size = 16384;
    static char *const memory = [] {
        const int file = open("fuzz.input", O_RDWR | O_CREAT, 0600);
        if (file < 0 || ftruncate(file, size) != 0) return static_cast<char *>(nullptr);
        void *const mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        close(file);
        return mapped == MAP_FAILED ? nullptr : static_cast<char *>(mapped);
    }();
    if (memory == nullptr) return;
    const auto length = static_cast<std::uint32_t>(std::min(input.size(), size - sizeof(std::uint32_t)));
    std::memcpy(memory, &length, sizeof length);
    std::memcpy(memory + sizeof length, input.data(), length);
}

static std::string in_hexadecimal(const std::string &input) {
    std::string shown;
    for (const char c : input) {
        constexpr std::string_view digits = "0123456789abcdef";
        shown += digits[static_cast<unsigned char>(c) >> 4];
        shown += digits[static_cast<unsigned char>(c) & 15];
    }
    return shown;
}

void found(const std::string &what, const std::string &input) {
    pgci::raise(pgci::SqlState("XX000"), "found: " + what, "", in_hexadecimal(input));
}

Outcome::Outcome(const ErrorData &error)
    : code_(error.sqlerrcode), text_(error.message != nullptr ? error.message : "") {
    const std::string file = error.filename != nullptr ? error.filename : "?";
    is_internal_of_ours_ = code_ == ERRCODE_INTERNAL_ERROR && file.ends_with(".cpp");
    text_ = std::string(unpack_sql_state(code_)) + " " + text_ + " (" + file + ":" + std::to_string(error.lineno) + ")";
    error_sites.insert(file + ":" + std::to_string(error.lineno));
}

void Clock::count(const std::string &input, bool is_value) {
    const Steady::time_point now = Steady::now();
    const double took = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    ++executions_;
    values_ += is_value ? 1 : 0;
    if (took > slowest_) {
        slowest_ = took;
        slowest_input_ = input;
    }
}

std::string Clock::figures() const {
    return std::to_string(executions_) + " executions, " + std::to_string(reached()) + " units of coverage (" +
           std::to_string(error_sites.size()) + " errors), " + std::to_string(values_) + " gave a value, slowest " +
           std::to_string(static_cast<int>(slowest_ * 1000)) + " ms, " + std::to_string(static_cast<int>(elapsed())) +
           " s\nslowest: " + in_hexadecimal(slowest_input_.substr(0, 300));
}

} // namespace fuzz
