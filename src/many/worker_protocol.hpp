// What a leader and its background workers share and say: the segment of shared memory, and the messages.
#pragma once

#include <optional>
#include <string_view>

#include "server/pg.hpp"
#include "many/session_state.hpp"
#include "many/window_run.hpp"

namespace pgci {

// What the workers are for.
enum class WorkerTask : int {
    windows,      // windows of jobs, as long as there are some
    run,          // one run that outlives the session
    mark_crashed, // nothing but a look at the ledger
};

// The parts of the segment, as keys of its table of contents.
enum SegmentPart : uint64 { part_header = 1, part_settings, part_windows, part_stopped, part_queues };

constexpr uint64 segment_magic = 0x636f70795f696e63;
constexpr Size queue_size = 16384; // bytes; a longer message is sent in pieces

struct SegmentHeader {
    SessionIdentity identity;
    WorkerTask work;
    Oid schema;            // of the extension
    uint32 windows;        // how many part_windows holds; a run has one
    pg_atomic_uint32 next; // the first that nobody has taken
    std::int64_t run_id;   // run
};

// The windows of the segment: one queue, from which each is taken once. Plain data.
struct SharedWindows {
    SegmentHeader *header;
    const WindowTask *tasks;
    pg_atomic_uint32 *stopped; // for each job of the call: are its other windows left alone?

    // The place of the next window that nobody has taken.
    std::optional<std::uint32_t> take() const;
    // Leaves the other windows of a job alone.
    void stop(std::uint32_t job) const { pg_atomic_write_u32(&stopped[job], 1); }
};

// The first byte of a message.
enum class MessageKind : char {
    ready = 'r',  // the work begins
    began = 'b',  // a window
    ended = 'e',  // a window, with its result
    error = 'E',  // PostgreSQL's: the worker ends with it
    notice = 'N', // PostgreSQL's
};

struct WorkerMessage {
    MessageKind kind = MessageKind::ready;
    std::uint32_t window = 0; // its place among the windows of the segment
    WindowResult result{};
};

// To the leader, over the queue that PostgreSQL's messages take.
void send_to_leader(const WorkerMessage &message);

// Reads a message of the first three kinds; nothing for others. `bytes` is what came over the queue.
std::optional<WorkerMessage> read_message(std::string_view bytes);

} // namespace pgci
