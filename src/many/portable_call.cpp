#include "many/portable_call.hpp"

#include "server/guard.hpp"

namespace pgci {

PortableCall pack_call(FunctionCallInfo fcinfo) {
    PortableCall call{.function = fcinfo->flinfo->fn_oid, .arguments = {}};
    char *bytes = nullptr;
    const Size size = pg_call([&] {
        Oid *types = nullptr;
        int count = 0;
        get_func_signature(fcinfo->flinfo->fn_oid, &types, &count);
        count = Min(count, fcinfo->nargs);
        StringInfoData buffer;
        initStringInfo(&buffer);
        for (int i = 0; i < count; ++i) {
            int16 length = 0;
            bool by_value = false;
            get_typlenbyval(types[i], &length, &by_value);
            Datum value = fcinfo->args[i].value;
            const bool is_null = fcinfo->args[i].isnull;
            // A value that lies in a TOAST table may be gone when it is read.
            if (length == -1 && !is_null) value = PointerGetDatum(PG_DETOAST_DATUM(value));
            enlargeStringInfo(&buffer, static_cast<int>(datumEstimateSpace(value, is_null, by_value, length)));
            char *end = buffer.data + buffer.len;
            datumSerialize(value, is_null, by_value, length, &end);
            buffer.len = static_cast<int>(end - buffer.data);
        }
        bytes = buffer.data;
        return static_cast<Size>(buffer.len);
    });
    call.arguments.assign(bytes, size);
    return call;
}

FunctionCallInfo unpack_call(Oid function, const char *arguments) {
    auto *const info = static_cast<FmgrInfo *>(palloc0(sizeof(FmgrInfo)));
    fmgr_info(function, info);
    auto *const fcinfo = static_cast<FunctionCallInfo>(palloc0(SizeForFunctionCallInfo(info->fn_nargs)));
    InitFunctionCallInfoData(*fcinfo, info, info->fn_nargs, InvalidOid, nullptr, nullptr);
    char *next = const_cast<char *>(arguments);
    for (int i = 0; i < info->fn_nargs; ++i) fcinfo->args[i].value = datumRestore(&next, &fcinfo->args[i].isnull);
    return fcinfo;
}

} // namespace pgci
