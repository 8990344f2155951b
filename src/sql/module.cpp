// The module: its magic block, its settings, and the entry point of background workers.
#include <climits>

#include "server/guard.hpp"
#include "connection/source_slot.hpp"
#include "source/source_session.hpp"
#include "rows/batch_reader.hpp"
#include "rows/insert_planner.hpp"
#include "many/background_worker.hpp"
#include "many/worker_slots.hpp"

extern "C" {

#ifdef PG_MODULE_MAGIC_EXT
PG_MODULE_MAGIC_EXT(.name = "pg_copy_incremental", .version = PGCI_VERSION);
#else
PG_MODULE_MAGIC;
#endif

PGDLLEXPORT void _PG_init(void);
PGDLLEXPORT void copy_incremental_worker(Datum segment);

void _PG_init(void) {
    DefineCustomBoolVariable("copy_incremental.source_row_security",
                             "Lets row security of the source hide rows from a copy.",
                             "When off, a row of the source that the source's user may not see is an error.",
                             &pgci::source_row_security, false, PGC_SUSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("copy_incremental.max_batch_bytes", "Bounds a batch, and what is on its way, in bytes.",
                            "A batch that reaches it is inserted before it has all its rows; a row larger than it "
                            "still travels.",
                            &pgci::max_batch_bytes, pgci::max_batch_bytes, 64 * 1024, INT_MAX, PGC_USERSET,
                            GUC_UNIT_BYTE, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("copy_incremental.max_workers",
                            "Sets the most background workers of pg_copy_incremental that run at once in this server.",
                            "-1 is half of max_worker_processes.", &pgci::max_workers, pgci::max_workers, -1, 262143,
                            PGC_SUSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("copy_incremental.max_source_connections",
                            "Sets the most connections that runs in a database have to one source at the same time.",
                            "A run that finds no connection waits. 0 is no limit.", &pgci::max_source_connections,
                            pgci::max_source_connections, 0, 10000, PGC_SUSET, 0, nullptr, nullptr, nullptr);
    MarkGUCPrefixReserved("copy_incremental");
    pgci::install_insert_planner();
}

// The postmaster starts it by the name in worker_pool.cpp.
void copy_incremental_worker(Datum segment) {
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    CurrentMemoryContext = AllocSetContextCreate(TopMemoryContext, "copy_incremental worker", ALLOCSET_DEFAULT_SIZES);
    pgci::run_worker(segment);
}

} // extern "C"
