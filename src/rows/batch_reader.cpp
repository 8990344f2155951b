#include "rows/batch_reader.hpp"

#include "server/guard.hpp"
#include "server/memory.hpp"
#include "server/subtransaction.hpp"
#include "ledger/rejects.hpp"

namespace pgci {

int max_batch_bytes = 16 * 1024 * 1024;

namespace {

// Receive functions convert text from client_encoding, but the source sends text in the encoding of this database.
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
    bytes_ = size_ = last_size_ = 0;
    decoder_.begin();
    while (!is_full() && cursor_.await_row()) {
        if (rejects_ == nullptr)
            read_rows_at_hand(writer);
        else
            read_or_put_aside(writer);
    }
    decoder_.end();
    if (rows_ > 0) cursor_.ask_ahead();
    cursor_.release_row();
}

void BatchReader::read_or_put_aside(RowWriter &writer) {
    std::optional<RunFailure> failure = in_subtransaction(
        [&] { read_rows_at_hand(writer); }, [&](int code) { return decoder_.is_decoding() && is_row_error(code); });
    if (!failure) return;
    const TemporaryMemory memory;
    failure->column = decoder_.column_name();
    const std::string row = decoder_.show_row();
    decoder_.give_up_row();
    writer.give_up_row();
    ++rows_;
    rejects_->add(std::move(*failure), row);
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
            last_size_ = decoder_.row_size();
            size_ += last_size_;
        }
    });
}

} // namespace pgci
