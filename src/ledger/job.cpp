#include "ledger/job.hpp"

#include <algorithm>

#include "server/guard.hpp"
#include "request/option_arguments.hpp"

namespace pgci {

namespace {

// The types of an entry of an older version are not known.
std::vector<KnownColumn> read_columns(const NamedValues &row) {
    const std::vector<std::string> names = read_names(row, "columns").value_or(std::vector<std::string>{});
    const std::vector<std::string> types = read_names(row, "column_types").value_or(std::vector<std::string>{});
    std::vector<KnownColumn> columns;
    for (std::size_t i = 0; i < names.size(); ++i) {
        KnownColumn &column = columns.emplace_back(KnownColumn{.name = names[i]});
        if (types.size() != names.size()) continue;
        char *end = nullptr;
        column.type = static_cast<Oid>(std::strtoul(types[i].c_str(), &end, 10));
        if (*end == '/') column.typmod = static_cast<int>(std::strtol(end + 1, nullptr, 10));
    }
    return columns;
}

} // namespace

std::vector<std::string> names_of(const std::vector<KnownColumn> &columns) {
    std::vector<std::string> names;
    names.reserve(columns.size());
    for (const KnownColumn &column : columns) names.push_back(column.name);
    return names;
}

std::vector<std::string> types_of(const std::vector<KnownColumn> &columns) {
    std::vector<std::string> types;
    types.reserve(columns.size());
    for (const KnownColumn &column : columns)
        types.push_back(std::to_string(column.type) + "/" + std::to_string(column.typmod));
    return types;
}

Job read_job(const NamedValues &row) {
    Job job;
    job.id = DatumGetInt64(row.value("job_id"));
    job.name = row.required_text("job");
    job.owner = row.oid("owner");
    job.server = row.oid("server");
    job.source = row.required_text("source");
    job.target = row.oid("target_oid");
    job.target_name = row.required_text("target_name");
    job.version = DatumGetInt32(row.value("version"));
    job.first_day = DatumGetDateADT(row.value("first_day"));
    const auto number = [&](const char *name) {
        return row.is_null(name) ? std::nullopt : std::optional<std::int64_t>(DatumGetInt64(row.value(name)));
    };
    if (!row.is_null("window_size")) job.window_size = *DatumGetIntervalP(row.value("window_size"));
    job.window_size_rows = number("window_size_rows");
    job.first_id = number("first_id");
    job.request.window_kind = job.kind();
    job.lag = *DatumGetIntervalP(row.value("lag"));
    read_options(row, job.request);
    job.request.src_conninfo = row.optional_text("conninfo").value_or("");
    job.request.query_template = row.required_text("query_template");
    job.request.known_columns = read_columns(row);
    return job;
}

void check_lag(const Interval &lag) {
    if (lag.time < 0 || lag.day < 0 || lag.month < 0)
        raise(sqlstate::invalid_parameter, "lag must not be negative",
              "A window becomes due that long after its end; '0' means immediately.");
}

void check_same_source(const Job &job, const SourceIdentity &source, const Job &other,
                       const SourceIdentity &its_source) {
    if (is_same_source(source, its_source)) return;
    raise(sqlstate::invalid_parameter,
          "job \"" + job.name + "\" reads another source than job \"" + other.name + "\" of job group \"" +
              job.request.job_group.value_or("") + "\"",
          "The jobs of a group read one snapshot, so they need the same foreign server. Use another job_group.");
}

} // namespace pgci
