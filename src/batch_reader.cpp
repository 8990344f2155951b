#include "batch_reader.hpp"

#include "guard.hpp"

namespace pgci {

int max_batch_bytes = 16 * 1024 * 1024;

namespace {

// What a row costs in memory beside its values: headers, alignment.
constexpr std::int64_t row_overhead = 48;

// Receive functions convert text from this session's client encoding, but the source sends the database's.
class DatabaseEncodingScope {
  public:
    DatabaseEncodingScope() : client_encoding_(pg_get_client_encoding()) { SetClientEncoding(GetDatabaseEncoding()); }
    ~DatabaseEncodingScope() { SetClientEncoding(client_encoding_); }
    DatabaseEncodingScope(const DatabaseEncodingScope &) = delete;
    DatabaseEncodingScope &operator=(const DatabaseEncodingScope &) = delete;

  private:
    int client_encoding_;
};

} // namespace

void BatchReader::read(RowWriter &writer) {
    rows_ = 0;
    bytes_ = size_ = 0;
    decoder_.begin();
    while (!is_full() && cursor_.await_row()) read_rows_at_hand(writer);
    decoder_.end();
    if (rows_ > 0) cursor_.ask_ahead();
}

void BatchReader::read_rows_at_hand(RowWriter &writer) {
    const DatabaseEncodingScope encoding;
    const ErrorContext context([](void *decoder) { static_cast<const RowDecoder *>(decoder)->show_position(); },
                               &decoder_);
    pg_call([&] {
        while (!is_full()) {
            CHECK_FOR_INTERRUPTS();
            const PGresult *const row = cursor_.row_at_hand();
            if (row == nullptr) return;
            const std::int64_t bytes = decoder_.decode(row, writer);
            cursor_.add_bytes(bytes);
            ++rows_;
            bytes_ += bytes;
            size_ += bytes + row_overhead;
        }
    });
}

} // namespace pgci
