// A call of an SQL function as bytes, of which another process of the same database makes a call again.
#pragma once

#include <string>

#include "server/pg.hpp"

namespace pgci {

// The arguments of a call. They may hold a password.
struct PortableCall {
    Oid function = InvalidOid;
    std::string arguments;
};

PortableCall pack_call(FunctionCallInfo fcinfo);

// The call again, in the current memory context. PostgreSQL code: for use inside pg_call.
FunctionCallInfo unpack_call(Oid function, const char *arguments);

} // namespace pgci
