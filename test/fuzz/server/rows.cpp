// Rows of the source: whatever the bytes of a value are, the row decoder makes a value that its type's own functions can
// work with, or raises an error; and what it decodes itself is what the type's receive function makes of it.
#include <libpq-fe.h>

#include "rows/row_decoder.hpp"
#include "fuzz/server_fuzz.hpp"

extern "C" {
PG_FUNCTION_INFO_V1(fuzz_rows);
}

namespace {

using fuzz::Corpus;
using fuzz::Random;

// Texts that are tried as seeds of each type.
const Corpus literals = {"0",
                         "1",
                         "-1",
                         "42",
                         "32767",
                         "2147483647",
                         "-9223372036854775808",
                         "3.14",
                         "-0.001",
                         "1e100",
                         "NaN",
                         "Infinity",
                         "123456789012345678901234567890.000000001",
                         "10000.0001",
                         "t",
                         "f",
                         "a",
                         "",
                         "abc",
                         "\xc3\xa4\xe2\x82\xac",
                         "a longer text with 'quotes', \"more\" and \\ backslashes",
                         "2018-07-29",
                         "infinity",
                         "0044-03-15 BC",
                         "2018-07-29 12:34:56.789",
                         "2018-07-29 12:34:56+02",
                         "12:34:56",
                         "12:34:56.789+05:30",
                         "1 year 2 mons -3 days 4:05:06",
                         "7fa96b2a-2e3b-4f0e-9d1c-000000000001",
                         "\\xdeadbeef00",
                         "{1,2,3}",
                         "{{1,2},{3,4}}",
                         "{NULL,a,\"b c\"}",
                         "{}",
                         "[2:3]={7,8}",
                         "{t,f}",
                         "{2018-07-29}",
                         "[1,5)",
                         "(,)",
                         "empty",
                         "[2018-07-29,2018-08-01)",
                         "{[1,2),[5,7)}",
                         "{}",
                         "{\"[1,2)\"}",
                         "{\"a\": [1, 2.5, null, true, {\"b\": \"c\"}]}",
                         "[]",
                         "null",
                         "\"text\"",
                         "$.a[*] ? (@.b > 1)",
                         "strict $.**.c.type()",
                         "<a b=\"c\">d</a>",
                         "192.168.0.1/24",
                         "10.0.0.0/8",
                         "::1",
                         "2001:db8::/32",
                         "08:00:2b:01:02:03",
                         "08:00:2b:01:02:03:04:05",
                         "(1,2)",
                         "((1,2),(3,4))",
                         "[(0,0),(1,1),(2,0)]",
                         "<(1,2),3>",
                         "{1,-1,0}",
                         "101",
                         "B101",
                         "$1,234.56",
                         "a:1 b:2A c",
                         "a & b | !c <-> d",
                         "0/16B3748",
                         "10:20:10,14,15",
                         "(0,1)",
                         "pg_class",
                         "pg_catalog.pg_type",
                         "abs(integer)",
                         "+(integer,integer)",
                         "english",
                         "simple",
                         "1 2 3",
                         "red",
                         "(1,red,\"a b\")",
                         "{\"(1,red,x)\"}",
                         "{\"2018-07-29 12:34:56\"}",
                         "{7fa96b2a-2e3b-4f0e-9d1c-000000000001}",
                         "{0.5,1e10}",
                         "'a' 'b':1",
                         "[5,5]"};

struct Type {
    Oid oid = InvalidOid;
    Oid output = InvalidOid;
    Oid send = InvalidOid;
    Corpus texts{};
    Corpus binaries{};
};

Type make_type(Oid oid) {
    Type type;
    type.oid = oid;
    pgci::pg_call([&] {
        bool is_varlena = false;
        getTypeOutputInfo(oid, &type.output, &is_varlena);
        getTypeBinaryOutputInfo(oid, &type.send, &is_varlena);
    });
    for (const std::string &literal : literals) {
        bytea *sent = nullptr;
        const fuzz::Outcome outcome = fuzz::attempt(literal, [&] {
            pgci::pg_call([&] {
                Oid input = InvalidOid;
                Oid parameter = InvalidOid;
                getTypeInputInfo(oid, &input, &parameter);
                std::string_view text = literal;
                sent = OidSendFunctionCall(
                    type.send, OidInputFunctionCall(input, pnstrdup(text.data(), text.size()), parameter, -1));
            });
            type.texts.push_back(literal);
            type.binaries.emplace_back(VARDATA(sent), static_cast<std::size_t>(VARSIZE(sent) - VARHDRSZ));
        });
        (void)outcome;
    }
    if (type.texts.empty()) {
        type.texts.emplace_back("");
        type.binaries.emplace_back("\0\0\0\1", 4);
    }
    return type;
}

// Uses each value as a target would: it becomes part of a tuple, and is written as text and in binary.
class UsingWriter final : public pgci::RowWriter {
  public:
    UsingWriter(const std::vector<const Type *> &types, MemoryContext memory) : types_(types), memory_(memory) {}
    void describe(TupleDesc description) { description_ = description; }
    MemoryContext row_memory() const override { return memory_; }
    void add(Datum *values, bool *nulls, std::int64_t) override {
        (void)heap_form_tuple(description_, values, nulls);
        for (std::size_t i = 0; i < types_.size(); ++i) {
            if (nulls[i]) continue;
            (void)OidOutputFunctionCall(types_[i]->output, values[i]);
            (void)OidSendFunctionCall(types_[i]->send, values[i]);
        }
    }
    std::int64_t remove() override { return 0; }
    std::int64_t write() override { return 0; }
    void finish() override {}

  private:
    const std::vector<const Type *> &types_;
    MemoryContext memory_;
    TupleDesc description_ = nullptr;
};

std::string show_input(const pgci::ColumnMap &map, const Corpus &cells) {
    std::string shown;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        shown += std::to_string(map.columns[i].batch_type) + (map.columns[i].as_text ? " text " : " binary ");
        shown += std::to_string(cells[i].size()) + ":" + cells[i] + "\n";
    }
    return shown;
}

// A result of one row, as libpq makes it. A cell that is null has a null pointer.
std::unique_ptr<PGresult, decltype(&PQclear)> make_row(const Corpus &cells, const std::vector<bool> &nulls) {
    std::unique_ptr<PGresult, decltype(&PQclear)> row(PQmakeEmptyPGresult(nullptr, PGRES_SINGLE_TUPLE), PQclear);
    std::vector<PGresAttDesc> attributes(cells.size());
    for (PGresAttDesc &attribute : attributes) attribute.name = const_cast<char *>("c");
    if (row == nullptr || PQsetResultAttrs(row.get(), static_cast<int>(cells.size()), attributes.data()) == 0)
        throw std::bad_alloc();
    for (std::size_t i = 0; i < cells.size(); ++i) {
        std::string cell = cells[i];
        const int length = nulls[i] ? -1 : static_cast<int>(cell.size());
        if (PQsetvalue(row.get(), 0, static_cast<int>(i), nulls[i] ? nullptr : cell.data(), length) == 0)
            throw std::bad_alloc();
    }
    return row;
}

// What this decoder makes of bytes, in memory of exactly their size and the zero byte behind them.
fuzz::Outcome decode(pgci::ValueDecoder &decoder, const std::string &bytes, Datum &result) {
    const std::unique_ptr<char[]> copy(new char[bytes.size() + 1]);
    std::memcpy(copy.get(), bytes.c_str(), bytes.size() + 1);
    char *const value = copy.get();
    return fuzz::attempt(bytes, [&] {
        pgci::pg_call([&] {
            pgci::ValueArena arena;
            arena.create(CurrentMemoryContext);
            result = pgci::decode_value(decoder, value, static_cast<int>(bytes.size()), arena);
        });
    });
}

void check_against_function(const Type &type, const std::string &bytes) {
    pgci::ValueDecoder own{};
    bool is_by_value = false;
    std::int16_t size = 0;
    pgci::pg_call([&] {
        pgci::init_value_decoder(own, type.oid, -1, false, CurrentMemoryContext);
        get_typlenbyval(type.oid, &size, &is_by_value);
    });
    if (own.kind == pgci::ValueDecoder::Kind::function) return;
    pgci::ValueDecoder function = own;
    function.kind = pgci::ValueDecoder::Kind::function;
    Datum one = 0;
    Datum other = 0;
    const std::string shown = std::to_string(type.oid) + ":" + bytes;
    const fuzz::Outcome own_outcome = decode(own, bytes, one);
    const fuzz::Outcome outcome = decode(function, bytes, other);
    if (!(own_outcome == outcome))
        fuzz::found("the type's function ends otherwise: \"" + own_outcome.text() + "\", \"" + outcome.text() + "\"",
                    shown);
    if (own_outcome.is_value() && !datumIsEqual(one, other, is_by_value, size))
        fuzz::found("the type's function makes another value", shown);
}

class RowFuzzer {
  public:
    RowFuzzer(double seconds, std::int64_t seed) : seconds_(seconds), random_(seed) {}
    void add_type(Oid oid) { types_.push_back(make_type(oid)); }
    std::string run() {
        clock_ = fuzz::Clock(seconds_);
        for (std::size_t first = 0; !clock_.is_over(); ++first) run_rows(types_[first % types_.size()]);
        return clock_.figures() + "\ntypes: " + std::to_string(types_.size());
    }

  private:
    // Decodes some rows by one decoder, as a batch is.
    void run_rows(Type &first) {
        const pgci::TemporaryMemory memory;
        std::vector<Type *> types{&first};
        while (!random_.one_of(2) && types.size() < 4) types.push_back(&types_[random_.below(types_.size())]);
        const std::vector<const Type *> used(types.begin(), types.end());
        pgci::ColumnMap map;
        for (std::size_t i = 0; i < types.size(); ++i)
            map.columns.push_back({"c" + std::to_string(i), types[i]->oid, random_.one_of(3), types[i]->oid, -1});
        pgci::RowDecoder decoder(map, CurrentMemoryContext);
        for (int i = 0; i < 20; ++i) {
            const pgci::TemporaryMemory row_memory;
            run_row(types, used, map, decoder);
            pgci::pg_call([] { CHECK_FOR_INTERRUPTS(); });
        }
    }

    void run_row(const std::vector<Type *> &types, const std::vector<const Type *> &used, const pgci::ColumnMap &map,
                 pgci::RowDecoder &decoder) {
        Corpus cells;
        std::vector<bool> nulls;
        for (std::size_t i = 0; i < types.size(); ++i) {
            const Corpus &seeds = map.columns[i].as_text ? types[i]->texts : types[i]->binaries;
            std::string cell = random_.pick(seeds);
            cells.push_back(random_.one_of(types.size()) ? fuzz::mutate(random_, cell, seeds, {}) : cell);
            nulls.push_back(random_.one_of(20));
        }
        const std::string shown = show_input(map, cells);
        fuzz::note(shown);
        UsingWriter writer(used, CurrentMemoryContext);
        writer.describe(decoder.description());
        const auto row = make_row(cells, nulls);
        const fuzz::Outcome outcome = fuzz::attempt(shown, [&] {
            decoder.begin();
            const pgci::ErrorContext context(
                [](void *argument) { static_cast<const pgci::RowDecoder *>(argument)->show_position(); }, &decoder);
            pgci::pg_call([&] { (void)decoder.decode(row.get(), writer); });
            decoder.end();
        });
        if (!outcome.is_value() && decoder.is_decoding()) {
            (void)decoder.column_name();
            check_shown(decoder.show_row(), shown);
            decoder.give_up_row();
        }
        for (std::size_t i = 0; i < types.size(); ++i)
            if (!map.columns[i].as_text && !nulls[i]) check_against_function(*types[i], cells[i]);
        clock_.count(shown, outcome.is_value());
        if (fuzz::is_new()) keep(types, map, cells);
    }

    // A reject's row is JSON, whatever the source sent.
    void check_shown(const std::string &json, const std::string &shown) {
        const fuzz::Outcome outcome = fuzz::attempt(shown, [&] {
            pgci::pg_call([&] {
                pg_verifymbstr(json.data(), static_cast<int>(json.size()), false);
                (void)DirectFunctionCall1(json_in, CStringGetDatum(json.c_str()));
            });
        });
        if (!outcome.is_value()) fuzz::found("a rejected row is no JSON: " + outcome.text(), shown);
    }

    void keep(const std::vector<Type *> &types, const pgci::ColumnMap &map, const Corpus &cells) {
        constexpr std::size_t most_inputs = 300;
        for (std::size_t i = 0; i < types.size(); ++i) {
            Corpus &corpus = map.columns[i].as_text ? types[i]->texts : types[i]->binaries;
            if (corpus.size() < most_inputs)
                corpus.push_back(cells[i]);
            else
                corpus[random_.below(corpus.size())] = cells[i];
        }
    }

    double seconds_;
    fuzz::Clock clock_{0};
    Random random_;
    std::vector<Type> types_{};
};

} // namespace

// fuzz_rows(seconds float8, seed int8, types oid[])
Datum fuzz_rows(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([&] {
        RowFuzzer fuzzer(PG_GETARG_FLOAT8(0), PG_GETARG_INT64(1));
        ArrayType *const types = PG_GETARG_ARRAYTYPE_P(2);
        const int count = ArrayGetNItems(ARR_NDIM(types), ARR_DIMS(types));
        for (int i = 0; i < count; ++i) fuzzer.add_type(reinterpret_cast<Oid *>(ARR_DATA_PTR(types))[i]);
        const std::string figures = fuzzer.run();
        return pgci::pg_call([&] { return CStringGetTextDatum(figures.c_str()); });
    });
}
