#include "spi_writer.hpp"

#include "guard.hpp"
#include "sql_text.hpp"

namespace pgci {

namespace {

std::string batch_type_text(const MappedColumn &column) {
    const Oid type = column.batch_type;
    return pg_call(
        [=] { return format_type_extended(type, -1, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY); });
}

// The batch comes out of a function in FROM, not out of an ephemeral named relation: a distributing planner (Citus)
// can carry the first, but not the second.
std::string insert_statement(const Target &target, const ColumnMap &map, const std::string &schema) {
    std::string into;
    std::string selected;
    std::string declared;
    for (const MappedColumn &column : map.columns) {
        const std::string name = quote_identifier(column.name);
        const char *const separator = into.empty() ? "" : ", ";
        into.append(separator).append(name);
        selected.append(separator).append("batch.").append(name);
        declared.append(separator).append(name).append(" ").append(batch_type_text(column));
    }
    return "INSERT INTO " + target.name() + " (" + into + ")" +
           (map.overrides_identity ? " OVERRIDING SYSTEM VALUE" : "") + " SELECT " + selected + " FROM " +
           quote_identifier(schema) + ".copy_incremental_batch_rows() AS batch(" + declared + ")";
}

// How many statements the rules of the target made of the INSERT.
int count_statements(SPIPlanPtr plan) {
    int count = 0;
    const List *const sources = SPI_plan_get_plan_sources(plan);
    for (int i = 0; i < list_length(sources); ++i)
        count += list_length(static_cast<const CachedPlanSource *>(list_nth(sources, i))->query_list);
    return count;
}

[[noreturn]] void raise_spi(const char *what, int code) {
    elog(ERROR, "%s failed: %s", what, SPI_result_code_string(code));
    pg_unreachable();
}

} // namespace

SpiWriter::SpiWriter(const Target &target, const ColumnMap &map, Oid schema) {
    const std::string schema_name = pg_call([=] { return get_namespace_name(schema); });
    const std::string sql = insert_statement(target, map, schema_name);
    plan_ = pg_call([&] {
        if (const int code = SPI_connect(); code != SPI_OK_CONNECT) raise_spi("SPI_connect", code);
        const SPIPlanPtr plan = SPI_prepare(sql.c_str(), 0, nullptr);
        if (plan == nullptr) raise_spi("SPI_prepare", SPI_result);
        has_several_statements_ = count_statements(plan) > 1;
        AfterTriggerBeginQuery();
        return plan;
    });
}

std::int64_t SpiWriter::write(Batch &batch) {
    batch.read_often = has_several_statements_;
    const BatchInHand in_hand(batch);
    return pg_call([&] {
        // Triggers that fire after the statement are queued for finish().
        const int code =
            SPI_execute_snapshot(plan_, nullptr, nullptr, InvalidSnapshot, InvalidSnapshot, false, false, 0);
        if (code != SPI_OK_INSERT && code != SPI_OK_REWRITTEN) raise_spi("SPI_execute", code);
        const auto written = static_cast<std::int64_t>(SPI_processed);
        // Rules may have kept the statement from reading it, or have copies read.
        if (batch.rows != nullptr) tuplestore_end(batch.rows);
        batch.rows = nullptr;
        return written;
    });
}

void SpiWriter::finish() {
    pg_call([] {
        if (const int code = SPI_finish(); code != SPI_OK_FINISH) raise_spi("SPI_finish", code);
        PushActiveSnapshot(GetTransactionSnapshot());
        EState *const state = CreateExecutorState();
        AfterTriggerEndQuery(state);
        ExecCloseResultRelations(state);
        ExecResetTupleTable(state->es_tupleTable, false);
        FreeExecutorState(state);
        PopActiveSnapshot();
    });
}

} // namespace pgci
