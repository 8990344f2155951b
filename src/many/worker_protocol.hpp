// What a leader and its background workers share and say: the segment of shared memory, and the messages.
#pragma once

#include <optional>
#include <string_view>

#include "server/pg.hpp"
#include "many/backfill_report.hpp"
#include "many/session_state.hpp"

namespace pgci {

// What the workers are for.
enum class WorkerTask : int {
    backfill,     // days of a backfill, as long as there are some
    run,          // one run that outlives the session
    mark_crashed, // nothing but a look at the ledger
};

// The parts of the segment, as keys of its table of contents.
enum SegmentPart : uint64 { part_header = 1, part_settings, part_arguments, part_days, part_queues };

constexpr uint64 segment_magic = 0x636f70795f696e63;
constexpr Size queue_size = 16384; // bytes; a longer message is sent in pieces

struct SegmentHeader {
    SessionIdentity identity;
    WorkerTask task;
    Oid function; // whose arguments part_arguments holds
    Size arguments_size;
    Oid target;                // backfill: of every day
    uint32 days;               // backfill: how many part_days holds
    pg_atomic_uint32 next_day; // backfill: the first that nobody has taken
    std::int64_t run_id;       // run
};

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
