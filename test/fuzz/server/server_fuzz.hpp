// What the fuzzers within a server share: mutations, what an input has reached, and how an attempt ended. A fuzzer is an
// SQL function (seconds, seed, ...) that returns a line of figures, or fails with what it found.
#pragma once

#include <random>

#include "server/subtransaction.hpp"

namespace fuzz {

using Corpus = std::vector<std::string>;

class Random {
  public:
    explicit Random(std::int64_t seed) : engine_(static_cast<std::uint64_t>(seed)) {}
    // From 0 to below `bound`, which is not 0.
    std::size_t below(std::size_t bound) { return static_cast<std::size_t>(engine_() % bound); }
    bool one_of(std::size_t n) { return below(n) == 0; }
    template <class List> const auto &pick(const List &list) { return list[below(std::size(list))]; }

  private:
    std::mt19937_64 engine_;
};

// One to four changes of an input: bits, bytes, numbers in network order, cuts, repetitions, parts of other inputs and
// words of a dictionary, which may be empty.
std::string mutate(Random &random, std::string input, const Corpus &others, const Corpus &dictionary);

// Whether an attempt reached code of src/, or an error anywhere, that none reached before.
bool is_new();
// How much was reached in all.
std::size_t reached();

// Keeps the input on disk as long as it is worked on, so that it is known after a crash.
void note(const std::string &input);

// What is wrong is an error that shows the input in hexadecimal.
[[noreturn]] void found(const std::string &what, const std::string &input);

// How an attempt ended: 0, or an error's packed SQLSTATE. An internal error that our own code raises is a finding, and
// so is any exception that is no error.
class Outcome {
  public:
    Outcome() = default;
    // Remembers where the error was raised.
    explicit Outcome(const ErrorData &error);
    bool is_value() const { return code_ == 0; }
    bool is_internal_of_ours() const { return is_internal_of_ours_; }
    const std::string &text() const { return text_; }
    bool operator==(const Outcome &other) const { return code_ == other.code_; }

  private:
    int code_ = 0;
    bool is_internal_of_ours_ = false;
    std::string text_{};
};

// Runs a body in a subtransaction.
template <class Body> Outcome attempt(const std::string &input, Body &&body) {
    Outcome outcome;
    pgci::Subtransaction subtransaction;
    try {
        body();
        subtransaction.release();
        return outcome;
    } catch (const pgci::PgError &error) {
        if (pgci::ends_the_call(error.data()->sqlerrcode)) subtransaction.rethrow(error);
        outcome = Outcome(*error.data());
    }
    if (outcome.is_internal_of_ours()) found("an internal error: " + outcome.text(), input);
    return outcome;
}

// Counts attempts until the time is up.
class Clock {
  public:
    explicit Clock(double seconds) : seconds_(seconds) {}
    bool is_over() const { return elapsed() >= seconds_; }
    void count(const std::string &input, bool is_value);
    // "N executions, N units of coverage, ..."
    std::string figures() const;

  private:
    using Steady = std::chrono::steady_clock;
    double elapsed() const { return std::chrono::duration<double>(Steady::now() - begin_).count(); }

    double seconds_;
    Steady::time_point begin_ = Steady::now();
    Steady::time_point last_ = begin_;
    std::int64_t executions_ = 0;
    std::int64_t values_ = 0;
    double slowest_ = 0;
    std::string slowest_input_{};
};

} // namespace fuzz
