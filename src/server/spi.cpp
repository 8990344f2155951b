#include "server/spi.hpp"

#include "server/settings.hpp"

namespace pgci {

void raise_spi(const char *function, int code) {
    elog(ERROR, "%s failed: %s", function, SPI_result_code_string(code));
    pg_unreachable();
}

void spi_connect(int options) {
    if (const int code = SPI_connect_ext(options); code != SPI_OK_CONNECT) raise_spi("SPI_connect", code);
}

void spi_finish() {
    if (const int code = SPI_finish(); code != SPI_OK_FINISH) raise_spi("SPI_finish", code);
}

SPIPlanPtr spi_prepare(const char *sql, int count, Oid *types, int options) {
    const int settings = begin_reading();
    const SPIPlanPtr plan = SPI_prepare_cursor(sql, count, types, options);
    AtEOXact_GUC(true, settings);
    if (plan == nullptr) raise_spi("SPI_prepare", SPI_result);
    return plan;
}

} // namespace pgci
