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

void BatchReader::read(Batch &batch) {
    rows_ = 0;
    bytes_ = size_ = last_size_ = 0;
    decoder_.begin();
    while (!is_full() && cursor_.await_row()) {
        if (rejects_ == nullptr)
            read_rows_at_hand(batch);
        else
            read_or_put_aside(batch);
    }
    decoder_.end();
    if (rows_ > 0) cursor_.ask_ahead();
    cursor_.release_rows();
}

void BatchReader::read_or_put_aside(Batch &batch) {
    std::optional<RunFailure> failure = in_subtransaction(
        [&] { read_rows_at_hand(batch); }, [&](int code) { return decoder_.is_decoding() && is_row_error(code); });
    if (!failure) return;
    const TemporaryMemory memory;
    failure->column = decoder_.column_name();
    RowDecoder::ShownRow row = decoder_.show_row();
    decoder_.give_up_row();
    ++rows_;
    size_ += decoder_.row_size(); // its values stay in the batch's memory
    rejects_->add(std::move(*failure), std::move(row.json), row.is_whole);
}

void BatchReader::read_rows_at_hand(Batch &batch) {
    const DatabaseEncodingScope encoding;
    const ErrorContext context([](void *decoder) { static_cast<const RowDecoder *>(decoder)->show_position(); },
                               &decoder_);
    pg_call([&] {
        while (!is_full()) {
            CHECK_FOR_INTERRUPTS();
            const RemoteConnection::Row row = cursor_.row_at_hand();
            if (row.result == nullptr) return;
            const std::int64_t bytes = decoder_.decode(row, batch);
            cursor_.add_bytes(bytes);
            ++rows_;
            bytes_ += bytes;
            last_size_ = decoder_.row_size();
            size_ += last_size_;
        }
    });
}

} // namespace pgci
