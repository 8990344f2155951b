// The function that the view copy_incremental_jobs calls for each job.
#include "server/guard.hpp"
#include "ledger/backlog.hpp"

namespace {

// Returns the ranges of a tstzmultirange, in order.
std::vector<pgci::Span> read_spans(Datum multirange) {
    struct Bounds {
        pgci::Span *spans;
        std::size_t count;
    };
    const Bounds found = pgci::pg_call([=] {
        const MultirangeType *const value = DatumGetMultirangeTypeP(multirange);
        TypeCacheEntry *const type = lookup_type_cache(TSTZRANGEOID, TYPECACHE_RANGE_INFO);
        int32 count = 0;
        RangeType **ranges = nullptr;
        multirange_deserialize(type, value, &count, &ranges);
        auto *const spans = static_cast<pgci::Span *>(palloc(sizeof(pgci::Span) * static_cast<Size>(count)));
        for (int i = 0; i < count; ++i) {
            RangeBound lower{};
            RangeBound upper{};
            bool is_empty = false;
            range_deserialize(type, ranges[i], &lower, &upper, &is_empty);
            spans[i] = {lower.infinite ? DT_NOBEGIN : DatumGetTimestampTz(lower.val),
                        upper.infinite ? DT_NOEND : DatumGetTimestampTz(upper.val)};
        }
        return Bounds{spans, static_cast<std::size_t>(count)};
    });
    return {found.spans, found.spans + found.count};
}

} // namespace

extern "C" {

PG_FUNCTION_INFO_V1(pgci_backlog);

// pgci_backlog(first_day, window_size, lag, time_zone, covered) returns due_to, missing_windows and behind.
Datum pgci_backlog(PG_FUNCTION_ARGS) {
    return pgci::sql_boundary([fcinfo] {
        const Interval size = *PG_GETARG_INTERVAL_P(1);
        const Interval lag = *PG_GETARG_INTERVAL_P(2);
        const char *const zone = pgci::pg_call([=] { return text_to_cstring(PG_GETARG_TEXT_PP(3)); });
        // Return NULL for a time zone that this server does not know, so that the view can still show the other jobs.
        if (!pgci::pg_call([=] { return pg_tzset(zone); })) {
            fcinfo->isnull = true;
            return Datum{0};
        }
        pgci::check_lag(lag);
        const pgci::WindowGrid grid(PG_GETARG_DATEADT(0), size, pgci::TimeZone::resolve(zone));
        const pgci::Backlog backlog =
            pgci::find_backlog(grid, lag, GetCurrentStatementStartTimestamp(), read_spans(PG_GETARG_DATUM(4)));
        return pgci::pg_call([&] {
            TupleDesc description = nullptr;
            if (get_call_result_type(fcinfo, nullptr, &description) != TYPEFUNC_COMPOSITE)
                elog(ERROR, "pgci_backlog() must return a row");
            const TimestampTz since = backlog.due_to - backlog.behind();
            Datum values[] = {
                TimestampTzGetDatum(backlog.due_to), Int64GetDatum(backlog.missing_windows),
                DirectFunctionCall2(timestamp_mi, TimestampGetDatum(backlog.due_to), TimestampGetDatum(since))};
            bool nulls[] = {false, false, false};
            return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(description), values, nulls));
        });
    });
}

} // extern "C"
