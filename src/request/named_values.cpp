#include "request/named_values.hpp"

#include "server/guard.hpp"

namespace pgci {

NamedValues::NamedValues(FunctionCallInfo fcinfo) {
    char **names = nullptr;
    const int count = pg_call([&] {
        const HeapTuple function = SearchSysCache1(PROCOID, ObjectIdGetDatum(fcinfo->flinfo->fn_oid));
        if (!HeapTupleIsValid(function)) elog(ERROR, "cache lookup failed for function %u", fcinfo->flinfo->fn_oid);
        bool is_null = false;
        bool has_no_modes = false;
        const Datum list = SysCacheGetAttr(PROCOID, function, Anum_pg_proc_proargnames, &is_null);
        const Datum modes = SysCacheGetAttr(PROCOID, function, Anum_pg_proc_proargmodes, &has_no_modes);
        const int found =
            is_null ? 0 : get_func_input_arg_names(list, has_no_modes ? PointerGetDatum(nullptr) : modes, &names);
        ReleaseSysCache(function);
        return found;
    });
    for (int i = 0; i < std::min<int>(count, fcinfo->nargs); ++i) {
        names_.emplace_back(names[i] != nullptr ? names[i] : "");
        values_.push_back(fcinfo->args[i]);
    }
}

int NamedValues::place(const char *name) const {
    const auto found = std::find(names_.begin(), names_.end(), name);
    return found == names_.end() ? -1 : static_cast<int>(found - names_.begin());
}

bool NamedValues::is_null(const char *name) const {
    const int argument = place(name);
    return argument < 0 || values_[static_cast<std::size_t>(argument)].isnull;
}

Datum NamedValues::value(const char *name) const { return values_[static_cast<std::size_t>(place(name))].value; }

std::optional<std::string> NamedValues::optional_text(const char *name) const {
    if (is_null(name)) return std::nullopt;
    const Datum datum = value(name);
    return pg_call([=] { return TextDatumGetCString(datum); });
}

void NamedValues::require(const char *name) const {
    if (is_null(name))
        raise(sqlstate::null_not_allowed, std::string("argument \"") + name + "\" must not be null", "Pass a value.");
}

std::string NamedValues::required_text(const char *name) const {
    require(name);
    return *optional_text(name);
}

Oid extension_schema(FunctionCallInfo fcinfo) {
    return pg_call([=] { return get_func_namespace(fcinfo->flinfo->fn_oid); });
}

} // namespace pgci
