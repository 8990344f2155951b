// The shared memory between the session that launches background workers and the workers.
#pragma once

#include "server/pg.hpp"
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

} // namespace pgci
