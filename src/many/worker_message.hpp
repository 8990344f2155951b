// What a background worker tells its leader, beside PostgreSQL's own errors and notices.
#pragma once

#include <optional>
#include <string_view>

#include "many/backfill_report.hpp"

namespace pgci {

// The first byte of a message.
enum class MessageKind : char {
    ready = 'r',  // the arguments are read, the work begins
    began = 'b',  // a day
    ended = 'e',  // a day, with its result
    error = 'E',  // PostgreSQL's: the worker ends with it
    notice = 'N', // PostgreSQL's
};

struct WorkerMessage {
    MessageKind kind = MessageKind::ready;
    std::uint32_t day = 0; // its place among the days of the segment
    DayResult result{};
};

// To the leader, over the queue that PostgreSQL's messages take.
void send_to_leader(const WorkerMessage &message);

// Reads a message of the first three kinds; nothing for others. `bytes` is what came over the queue.
std::optional<WorkerMessage> read_message(std::string_view bytes);

} // namespace pgci
