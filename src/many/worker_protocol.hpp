// The shared memory segment of a leader and its background workers, and their messages.
#pragma once

#include <optional>
#include <string_view>

#include "server/pg.hpp"
#include "many/session_state.hpp"
#include "many/window_run.hpp"

namespace pgci {

// The kind of work.
enum class WorkerTask : int {
    windows,      // load windows of jobs until none is left
    run,          // load one window, in a run that outlives the session
    mark_crashed, // mark crashed runs in the ledger
};

// The parts of the segment, as keys of its table of contents.
enum SegmentPart : uint64 { part_header = 1, part_settings, part_windows, part_stopped, part_returned, part_queues };

constexpr uint64 segment_magic = 0x636f70795f696e63;
constexpr Size queue_size = 16384; // bytes; a longer message is sent in pieces

struct SegmentHeader {
    SessionIdentity identity;
    WorkerTask work;
    Oid schema;                      // the schema of the extension
    uint32 jobs;                     // the number of jobs in part_stopped
    uint32 windows;                  // the number of windows in part_windows; one for WorkerTask::run
    pg_atomic_uint32 next;           // the position of the next window to take
    std::int64_t run_id;             // for WorkerTask::run
    pg_atomic_uint32 working;        // the number of workers that load windows
    pg_atomic_uint32 returned_count; // the number of windows that were given back
};

// The queue of windows in the segment. Each window is taken once. Plain data.
struct SharedWindows {
    SegmentHeader *header;
    const WindowTask *tasks;
    pg_atomic_uint32 *stopped;  // for each job of the call: 1 if its remaining windows are skipped
    pg_atomic_uint32 *returned; // for each window: 1 if it was given back

    // Takes the next window that does not follow another, and returns its position; nothing if none is left.
    std::optional<std::uint32_t> take() const;
    // Returns the position of the window that follows this one, if there is one.
    std::optional<std::uint32_t> next_after(std::uint32_t place) const;
    std::optional<std::uint32_t> take_returned() const;
    // Gives a window back, which another process can take, and returns true; or returns false if this is the last worker.
    bool give_back(std::uint32_t place) const;
    // To be called when a worker begins and ends to take windows.
    void join() const { pg_atomic_fetch_add_u32(&header->working, 1); }
    void leave() const { pg_atomic_fetch_sub_u32(&header->working, 1); }
    // Makes all processes skip the remaining windows of a job.
    void stop(std::uint32_t job) const { pg_atomic_write_u32(&stopped[job], 1); }
    void stop_all() const {
        for (std::uint32_t job = 0; job < header->jobs; ++job) stop(job);
    }
};

// The first byte of a message.
enum class MessageKind : char {
    ready = 'r',  // the worker starts its work
    began = 'b',  // the worker starts to load a window
    ended = 'e',  // a window has ended, with its result
    error = 'E',  // from PostgreSQL; the worker ends
    notice = 'N', // from PostgreSQL
};

struct WorkerMessage {
    MessageKind kind = MessageKind::ready;
    std::uint32_t window = 0; // its position among the windows of the segment
    WindowResult result{};
};

// Sends a message to the leader, by the queue that also has PostgreSQL's messages.
void send_to_leader(const WorkerMessage &message);

// Reads a message of the first three kinds; returns nothing for other kinds.
std::optional<WorkerMessage> read_message(std::string_view bytes);

} // namespace pgci
