// What the fuzzers within a server share: mutations, what an input has reached, and how an attempt ended. A fuzzer is an
// SQL function (seconds, seed, ...) that returns a line of figures, or fails with what it found.
#pragma once

#include <random>

#include "server/memory.hpp"
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

// What was seen of an input.
struct Verdict {
    bool is_value = true;
    bool is_rare = false; // worth keeping now and then, even where it reaches nothing new
};

// The body of a fuzzer of texts, fuzz_NAME(seconds float8, seed int8): changes texts that are valid in the database's
// encoding, gives each to `check`, and keeps what reaches new code.
template <class Check>
Datum fuzz_texts(FunctionCallInfo fcinfo, const Corpus &seeds, const Corpus &dictionary, Check &&check) {
    return pgci::sql_boundary([&] {
        constexpr std::size_t most_inputs = 2000;
        Clock clock(PG_GETARG_FLOAT8(0));
        Random random(PG_GETARG_INT64(1));
        Corpus corpus = seeds;
        while (!clock.is_over()) {
            const pgci::TemporaryMemory memory;
            const std::string text = mutate(random, random.pick(corpus), corpus, dictionary);
            if (!pg_verify_mbstr(GetDatabaseEncoding(), text.data(), static_cast<int>(text.size()), true)) continue;
            note(text);
            const Verdict verdict = check(text);
            clock.count(text, verdict.is_value);
            if ((is_new() || (verdict.is_rare && random.one_of(50))) && corpus.size() < most_inputs)
                corpus.push_back(text);
            pgci::pg_call([] { CHECK_FOR_INTERRUPTS(); });
        }
        const std::string figures = clock.figures();
        return pgci::pg_call([&] { return CStringGetTextDatum(figures.c_str()); });
    });
}

} // namespace fuzz
