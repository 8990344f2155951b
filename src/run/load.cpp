#include "run/load.hpp"

#include <memory>

#include "server/guard.hpp"
#include "server/memory.hpp"
#include "server/text_rows.hpp"
#include "source/source_plan.hpp"
#include "ledger/coverage.hpp"
#include "ledger/jobs.hpp"
#include "ledger/rejected_rows.hpp"
#include "ledger/rejects.hpp"
#include "target/target_slice.hpp"
#include "rows/batch_reader.hpp"
#include "rows/copy_writer.hpp"
#include "rows/rejecting_writer.hpp"
#include "run/lost_columns.hpp"
#include "run/sequence_sync.hpp"

namespace pgci {

namespace {

// Creates the memory context of the run. After an error, the end of the transaction or of the procedure's call deletes it.
MemoryContext create_run_memory(MemoryContext parent) {
    return pg_call([=] { return AllocSetContextCreate(parent, "copy_incremental run", ALLOCSET_DEFAULT_SIZES); });
}

// A source without rows may be another database, or one that was just restored.
void check_empty(const LoadRun &run) {
    const RunStatistics &statistics = run.statistics;
    if (statistics.source_rows.value_or(statistics.rows_read) > 0) return;
    const CopyRequest &request = run.request();
    const std::string message = "source returned no rows for " + run.prepared.described_window();
    if (request.on_empty == OnEmpty::error)
        raise(sqlstate::no_rows, message,
              "Check that the source is the right one and has the rows. Pass on_empty => 'allow' if the window may be "
              "empty.",
              "Nothing was changed.");
    if (statistics.rows_deleted == 0) return;
    const std::string notice = message + ", and " + std::to_string(statistics.rows_deleted) +
                               (statistics.rows_deleted == 1 ? " row was deleted" : " rows were deleted");
    pg_call([text = notice.c_str()] { ereport(NOTICE, errmsg_internal("%s", text)); });
}

// The number of rows that a trigger of the target has dropped, or written elsewhere. The executor counts most of them; a plan of
// another extension, a rule and COPY leave a difference.
std::int64_t count_dropped(const LoadRun &run) {
    const CopyRequest &request = run.request();
    const bool writes_all = (request.mode == Mode::append || request.mode == Mode::replace) && !request.transform &&
                            request.on_error == OnError::stop;
    const std::int64_t unwritten = run.statistics.rows_read - run.statistics.rows_written;
    return std::max(run.dropped_rows, writes_all ? unwritten : 0);
}

void warn_of_dropped(const LoadRun &run) {
    const std::int64_t dropped = count_dropped(run);
    if (dropped == 0) return;
    const std::vector<TextRow> triggers = select_rows(
        "SELECT pg_catalog.string_agg(DISTINCT t.tgname::pg_catalog.text, ', ' ORDER BY t.tgname::pg_catalog.text) "
        "FROM "
        "pg_catalog.pg_trigger AS t WHERE (t.tgrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid OR t.tgrelid "
        "OPERATOR(pg_catalog.=) ANY (SELECT p.relid FROM pg_catalog.pg_partition_tree($1::pg_catalog.oid) AS p)) AND "
        "t.tgenabled OPERATOR(pg_catalog.<>) 'D' AND "
        // ROW, and INSERT or UPDATE, and BEFORE or INSTEAD.
        "(t.tgtype::pg_catalog.int4 OPERATOR(pg_catalog.&) 1) OPERATOR(pg_catalog.=) 1 AND (t.tgtype::pg_catalog.int4 "
        "OPERATOR(pg_catalog.&) 20) OPERATOR(pg_catalog.<>) 0 AND (t.tgtype::pg_catalog.int4 "
        "OPERATOR(pg_catalog.&) 66) OPERATOR(pg_catalog.<>) 0",
        {std::to_string(run.target().oid())});
    const std::string names = triggers[0][0].value_or("");
    pg_call([&] {
        ereport(WARNING,
                (errcode(ERRCODE_WARNING),
                 errmsg_plural(INT64_FORMAT " row was not written to %s", INT64_FORMAT " rows were not written to %s",
                               static_cast<unsigned long>(dropped), dropped, run.target().name().c_str()),
                 names.empty()
                     ? errdetail("A rule may have written them elsewhere, or nowhere.")
                     : errdetail("Triggers that may have dropped them or written them elsewhere: %s.", names.c_str())));
    });
}

// What a later retry of rejected rows needs.
WaysOfRows ways_of_rows(const LoadRun &run) {
    std::vector<SourceColumn> columns = run.prepared.columns();
    std::erase_if(columns, [](const SourceColumn &column) { return column.is_left_out; });
    return {.options = static_cast<const RequestOptions &>(run.request()),
            .columns = std::move(columns),
            .slice = run.plan.slice,
            .zone = run.prepared.zone().name()};
}

std::string to_json(const Batch &batch, std::size_t row) {
    return pg_call([&batch, row] {
        const Batch::Row values = batch.row(row);
        return row_to_json(batch.description(), values.values, values.nulls);
    });
}

} // namespace

void LoadRun::check_slice() const {
    check_slice_after(plan.statements, target(), prepared.zone(), statistics.rows_written);
}

void LoadRun::record_success() {
    if (announced_rows && statistics.rows_read != *announced_rows)
        prepared.source().connection().raise_protocol_violation(std::to_string(statistics.rows_read) +
                                                                " rows that differ, and has counted " +
                                                                std::to_string(*announced_rows));
    if (statement != nullptr) pg_call([this] { statement->end(); });
    check_empty(*this);
    warn_of_dropped(*this);
    move_sequences(request(), target(), plan.columns);
    if (check != nullptr) {
        check->compare();
        statistics.source_rows = check->source_rows();
    }
    ledger.record(run_id, statistics, "succeeded");
    prepared.release_claim();
    // A window that is not settled may miss rows. It does not join the coverage, so that it is loaded again.
    const RunKey &key = prepared.key();
    if (key.job_id == 0) return;
    const Jobs jobs(request().schema);
    if (request().binds_target) jobs.bind_target(key.job_id, target().oid());
    if (const std::vector<KnownColumn> columns = known_columns_of(prepared.columns());
        columns != request().known_columns)
        jobs.remember_columns(key.job_id, columns);
    if (!key.window) return;
    const bool has_ended = key.window->is_of_ids() || key.window->end() <= prepared.snapshot_at();
    const Coverage coverage(request().schema, key.window->kind());
    if (statistics.rejects > 0)
        coverage.remove(key.job_id, key.window->start(), key.window->end());
    else if (statistics.is_settled.value_or(has_ended))
        coverage.add(key.job_id, key.window->span());
}

void load_by_cursor(LoadRun &run) {
    const std::int64_t bound = max_batch_bytes;
    const int rows_of_batch = batch_of(run.request(), run.plan);
    const MemoryContext memory = create_run_memory(run.procedure.memory());
    RowDecoder decoder(run.plan.map, memory);
    Throttle throttle(run.request(), run.target().name());
    const int most_rows = throttle.most_rows_of_batch(rows_of_batch);
    SourceCursor cursor(run.prepared.source(), run.query(), run.plan.map, most_rows, bound, RunProgress::is_shown(),
                        throttle);
    run.progress.expect(cursor.estimated_rows());
    run.progress.show(run.statistics);
    BatchReader reader(cursor, decoder, most_rows, bound);
    const RejectedRows rejected(run.request().schema, run.run_id);
    Rejects rejects(run.ledger, run.run_id, run.request().reject_limit, run.batch_in_work,
                    [&] { rejected.store(ways_of_rows(run)); });
    if (run.request().on_error == OnError::reject) reader.put_aside(rejects);
    Batch batch;
    pg_call([&] { batch.create(decoder.description(), memory); });
    const auto make_writer = [&]() -> std::unique_ptr<RowWriter> {
        if (run.request().on_error == OnError::reject)
            return std::make_unique<RejectingWriter>(run.plan.statements, run.target(), run.prepared.zone(), batch,
                                                     [&](std::size_t row, RunFailure failure) {
                                                         rejects.add(std::move(failure), to_json(batch, row), true);
                                                     });
        return std::make_unique<SpiWriter>(run.plan.statements, run.target(), run.prepared.zone(), batch);
    };
    RunStatistics &statistics = run.statistics;
    const auto load_batch = [&](RowWriter &writer, bool is_first) {
        const TemporaryMemory batch_memory(memory);
        run.batch_in_work = statistics.batches + 1;
        reader.read(batch);
        statistics.rows_read += reader.rows();
        statistics.bytes += reader.bytes();
        if (reader.rows() > 0) ++statistics.batches;
        // For an empty window, execute an INSERT of no rows, so that the statement triggers of the target fire.
        if (reader.rows() > 0 || is_first) statistics.rows_written += writer.write();
        pg_call([&] { batch.clear(); });
        rejects.write();
        statistics.rejects = rejects.count();
        run.progress.show(statistics);
    };
    for (bool is_first = true; !cursor.at_end();) {
        const TemporaryMemory transaction_memory(memory);
        if (!is_first) run.prepared.plan_again(run.plan);
        const std::unique_ptr<RowWriter> writer = make_writer();
        const bool deletes = is_first;
        if (deletes) statistics.rows_deleted += writer->remove();
        do {
            load_batch(*writer, is_first);
            is_first = false;
        } while (!run.request().commit_batches && !cursor.at_end());
        run.batch_in_work = 0;
        if (cursor.at_end()) cursor.finish();
        writer->finish();
        run.dropped_rows += writer->dropped();
        if (deletes) run.check_slice();
        if (cursor.at_end()) {
            run.record_success();
        } else {
            move_sequences(run.request(), run.target(), run.plan.columns);
            run.ledger.record(run.run_id, statistics, "partial");
        }
        run.procedure.commit();
        if (run.request().commit_batches)
            run.prepared.source().connection().set_written("The batches committed before stay written");
    }
    pg_call([=] { MemoryContextDelete(memory); });
}

void load_by_copy(LoadRun &run) {
    const CopyPlan plan = plan_copy(run.plan.map, run.target(), run.plan.statements.insert);
    CopyWriter writer(run.target(), run.plan, plan, run.prepared.zone());
    if (RunProgress::is_shown()) {
        RowEstimate estimate(run.prepared.source(), declare_statement(run.query(), run.plan.map));
        run.progress.expect(estimate.receive());
    }
    Throttle throttle(run.request(), run.target().name());
    SourceCopy data(run.prepared.source(), run.prepared.query(), plan, throttle);
    RunStatistics &statistics = run.statistics;
    statistics.rows_deleted = writer.remove();
    statistics.rows_written = writer.write(data, run.progress);
    data.finish();
    writer.finish();
    run.check_slice();
    statistics.rows_read = data.rows();
    statistics.bytes = data.bytes();
    statistics.batches = statistics.rows_read > 0 ? 1 : 0;
    run.record_success();
    run.procedure.commit();
}

} // namespace pgci
