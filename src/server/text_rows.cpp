#include "server/text_rows.hpp"

#include "server/guard.hpp"
#include "server/spi.hpp"

namespace pgci {

namespace {

// A query result, row by row, in memory of the caller; NULL is a null pointer.
struct Cells {
    char **values;
    std::size_t rows;
    std::size_t columns;
};

Cells copy_result(MemoryContext memory) {
    const auto rows = static_cast<std::size_t>(SPI_processed);
    const auto columns = static_cast<std::size_t>(SPI_tuptable->tupdesc->natts);
    auto *const values = static_cast<char **>(MemoryContextAllocHuge(memory, sizeof(char *) * (rows * columns + 1)));
    for (std::size_t i = 0; i < rows * columns; ++i) {
        const char *const value =
            SPI_getvalue(SPI_tuptable->vals[i / columns], SPI_tuptable->tupdesc, static_cast<int>(i % columns) + 1);
        values[i] = value != nullptr ? MemoryContextStrdup(memory, value) : nullptr;
    }
    return {values, rows, columns};
}

} // namespace

std::vector<TextRow> select_rows(const std::string &sql, const std::vector<std::string> &parameters, bool newest,
                                 const UsedRelation *must_read) {
    const int count = static_cast<int>(parameters.size());
    const Cells cells = pg_call([&] {
        const MemoryContext caller = CurrentMemoryContext;
        auto *const types = static_cast<Oid *>(palloc(sizeof(Oid) * (parameters.size() + 1)));
        auto *const values = static_cast<Datum *>(palloc(sizeof(Datum) * (parameters.size() + 1)));
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            types[i] = TEXTOID;
            values[i] = CStringGetTextDatum(parameters[i].c_str());
        }
        spi_connect();
        const SPIPlanPtr plan = spi_prepare(sql.c_str(), count, types);
        if (must_read != nullptr) check_uses(plan, *must_read);
        const int code = SPI_execute_plan(plan, values, nullptr, !newest, 0);
        if (code != SPI_OK_SELECT) raise_spi("SPI_execute_plan", code);
        if (must_read != nullptr) check_uses(plan, *must_read);
        const Cells result = copy_result(caller);
        spi_finish();
        return result;
    });
    std::vector<TextRow> rows(cells.rows, TextRow(cells.columns));
    for (std::size_t i = 0; i < cells.rows * cells.columns; ++i)
        if (cells.values[i] != nullptr) rows[i / cells.columns][i % cells.columns] = cells.values[i];
    return rows;
}

} // namespace pgci
