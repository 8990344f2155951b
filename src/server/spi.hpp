// SPI functions that check every return code. PostgreSQL code: for use inside pg_call.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// Calls SPI_connect_ext with these options.
void spi_connect(int options = 0);

void spi_finish();

// Prepares a statement with `count` parameters; `options` as for SPI_prepare_cursor. String constants in it are
// standard-conforming, regardless of the session's setting.
SPIPlanPtr spi_prepare(const char *sql, int count = 0, Oid *types = nullptr, int options = 0);

// Raises the error for an SPI function that returned `code`.
[[noreturn]] void raise_spi(const char *function, int code);

} // namespace pgci
