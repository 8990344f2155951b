// Which errors are a row's own, so that the row can be put aside and the others go on.
#pragma once

namespace pgci {

// By the class of a packed SQLSTATE: conversions and values (22), constraints (23), views' and slices' checks (44), what
// triggers and functions raise (09, 21, 27, 38, 39, P0 and classes that PostgreSQL does not use). Never a lost
// connection, a want of memory or disk, a cancel, a lock, a serialization failure, a missing right or object.
bool is_row_error(int code);

} // namespace pgci
