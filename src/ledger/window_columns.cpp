#include "ledger/window_columns.hpp"

#include "server/compat.hpp"
#include "server/guard.hpp"

namespace pgci {

namespace {

bool is_of_ids(WindowKind kind) { return kind == WindowKind::ids; }

// PostgreSQL code.
Datum make_window(WindowKind kind, Span span) {
    TypeCacheEntry *const type = lookup_type_cache(is_of_ids(kind) ? INT8RANGEOID : TSTZRANGEOID, TYPECACHE_RANGE_INFO);
    RangeBound lower{
        .val = Int64GetDatum(span.start), .infinite = span.start == no_start, .inclusive = true, .lower = true};
    RangeBound upper{
        .val = Int64GetDatum(span.end), .infinite = span.end == no_end, .inclusive = false, .lower = false};
    return RangeTypePGetDatum(compat::make_range(type, &lower, &upper));
}

} // namespace

Parameter bound_parameter(WindowKind kind, std::optional<std::int64_t> bound) {
    return {static_cast<Oid>(is_of_ids(kind) ? INT8OID : TIMESTAMPTZOID), Int64GetDatum(bound.value_or(0)), !bound};
}

Parameter window_parameter(WindowKind kind, const std::optional<Span> &span) {
    const Oid type = is_of_ids(kind) ? INT8RANGEOID : TSTZRANGEOID;
    if (!span) return {.type = type, .is_null = true};
    return {type, pg_call([=, window = *span] { return make_window(kind, window); })};
}

Parameter windows_parameter(WindowKind kind, const std::vector<Span> &spans) {
    const Oid type = is_of_ids(kind) ? INT8RANGEOID : TSTZRANGEOID;
    return {static_cast<Oid>(is_of_ids(kind) ? INT8RANGEARRAYOID : TSTZRANGEARRAYOID),
            pg_call([=, windows = spans.data(), count = static_cast<int>(spans.size())] {
                auto *const elements = static_cast<Datum *>(palloc(sizeof(Datum) * static_cast<Size>(count)));
                for (int i = 0; i < count; ++i) elements[i] = make_window(kind, windows[i]);
                return PointerGetDatum(construct_array(elements, count, type, -1, false, TYPALIGN_DOUBLE));
            })};
}

} // namespace pgci
