#include "many/worker_protocol.hpp"

namespace pgci {

namespace {

void put_text(StringInfo buffer, const std::string &text) {
    pq_sendint32(buffer, static_cast<uint32>(text.size()));
    appendBinaryStringInfo(buffer, text.data(), static_cast<int>(text.size()));
}

// Reads numbers and texts in network byte order. Does not check lengths, because this library is also the sender.
class Reader {
  public:
    explicit Reader(std::string_view bytes) : bytes_(bytes) {}
    std::uint64_t number(std::size_t size) {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(bytes_[i]);
        bytes_.remove_prefix(size);
        return value;
    }
    std::string text() {
        const auto size = static_cast<std::size_t>(number(4));
        std::string value(bytes_.substr(0, size));
        bytes_.remove_prefix(size);
        return value;
    }

  private:
    std::string_view bytes_;
};

} // namespace

bool SharedWindows::give_back(std::uint32_t place) const {
    uint32 working = pg_atomic_read_u32(&header->working);
    do
        if (working <= 1) return false;
    while (!pg_atomic_compare_exchange_u32(&header->working, &working, working - 1));
    pg_atomic_write_u32(&returned[place], 1);
    pg_atomic_fetch_add_u32(&header->returned_count, 1);
    return true;
}

std::optional<std::uint32_t> SharedWindows::take_returned() const {
    if (pg_atomic_read_u32(&header->returned_count) == 0) return std::nullopt;
    for (std::uint32_t place = 0; place < header->windows; ++place) {
        if (pg_atomic_exchange_u32(&returned[place], 0) == 0) continue;
        pg_atomic_fetch_sub_u32(&header->returned_count, 1);
        return place;
    }
    return std::nullopt;
}

std::optional<std::uint32_t> SharedWindows::take() const {
    for (;;) {
        // A window that was given back comes before those that nobody has taken, because it is older.
        const std::optional<std::uint32_t> back = take_returned();
        const std::uint32_t place = back ? *back : pg_atomic_fetch_add_u32(&header->next, 1);
        if (place >= header->windows) return std::nullopt;
        // One that was given back may follow another, whose worker has ended.
        if ((back || !tasks[place].follows) && pg_atomic_read_u32(&stopped[tasks[place].job]) == 0) return place;
    }
}

std::optional<std::uint32_t> SharedWindows::next_after(std::uint32_t place) const {
    const std::uint32_t next = place + 1;
    if (next >= header->windows || !tasks[next].follows || pg_atomic_read_u32(&stopped[tasks[next].job]) != 0)
        return std::nullopt;
    return next;
}

void send_to_leader(const WorkerMessage &message) {
    const WindowResult &result = message.result;
    pg_call([&] {
        StringInfoData buffer;
        pq_beginmessage(&buffer, static_cast<char>(message.kind));
        pq_sendint32(&buffer, message.window);
        pq_sendbyte(&buffer, static_cast<uint8>(result.end));
        pq_sendbyte(&buffer, result.stops_job ? 1 : 0);
        pq_sendint64(&buffer, static_cast<uint64>(result.started_at));
        pq_sendint64(&buffer, static_cast<uint64>(result.ended_at));
        pq_sendint64(&buffer, static_cast<uint64>(result.rows_written));
        pq_sendbyte(&buffer, result.failure ? 1 : 0);
        if (result.failure) {
            pq_sendint32(&buffer, static_cast<uint32>(result.failure->code));
            for (const std::string *const text :
                 {&result.failure->message, &result.failure->detail, &result.failure->hint, &result.failure->context})
                put_text(&buffer, *text);
        }
        pq_endmessage(&buffer);
    });
}

std::optional<WorkerMessage> read_message(std::string_view bytes) {
    if (bytes.empty()) return std::nullopt;
    WorkerMessage message;
    message.kind = static_cast<MessageKind>(bytes.front());
    if (message.kind != MessageKind::ready && message.kind != MessageKind::began && message.kind != MessageKind::ended)
        return std::nullopt;
    Reader reader(bytes.substr(1));
    message.window = static_cast<std::uint32_t>(reader.number(4));
    message.result.end = static_cast<WindowEnd>(reader.number(1));
    message.result.stops_job = reader.number(1) != 0;
    message.result.started_at = static_cast<TimestampTz>(reader.number(8));
    message.result.ended_at = static_cast<TimestampTz>(reader.number(8));
    message.result.rows_written = static_cast<std::int64_t>(reader.number(8));
    if (reader.number(1) != 0) {
        RunFailure failure{.code = static_cast<int>(reader.number(4)), .message = reader.text()};
        failure.detail = reader.text();
        failure.hint = reader.text();
        failure.context = reader.text();
        message.result.failure = std::move(failure);
    }
    return message;
}

} // namespace pgci
