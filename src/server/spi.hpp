// SPI's functions, with every return code checked. PostgreSQL code: for use inside pg_call.
#pragma once

#include "server/pg.hpp"

namespace pgci {

// Connects; `options` as for SPI_connect_ext.
void spi_connect(int options = 0);

void spi_finish();

// Prepares a statement of `count` parameters; `options` as for SPI_prepare_cursor. Its strings are standard conforming,
// whatever the setting of this session is.
SPIPlanPtr spi_prepare(const char *sql, int count = 0, Oid *types = nullptr, int options = 0);

// An error for a function of SPI that returned `code`.
[[noreturn]] void raise_spi(const char *function, int code);

} // namespace pgci
