#include "run/prepared_run.hpp"

#include "server/guard.hpp"
#include "connection/conninfo.hpp"
#include "template/slice.hpp"
#include "source/bound_types.hpp"
#include "source/source_names.hpp"
#include "source/window_column.hpp"
#include "ledger/progress.hpp"
#include "target/batch_relation.hpp"
#include "target/missing_privileges.hpp"
#include "target/new_partitions.hpp"
#include "run/bound_warnings.hpp"
#include "run/design_target.hpp"
#include "run/follow_source.hpp"
#include "run/lost_columns.hpp"

namespace pgci {

namespace {

// In such an operation the code of an owner runs as whoever vacuums or refreshes, whose user mapping it must not use.
void check_may_connect() {
    pg_call([] {
        if (InSecurityRestrictedOperation())
            ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                            errmsg("cannot connect to a source within security-restricted operation"),
                            errhint("Do not do it from index expressions or materialized views.")));
    });
}

} // namespace

CopyRequest looking_request(const CopyRequest &request) {
    CopyRequest looking(request);
    looking.target = InvalidOid;
    looking.target_name.clear();
    looking.mode = Mode::append;
    looking.replace_where.reset();
    looking.transform.reset();
    return looking;
}

PreparedRun::PreparedRun(const CopyRequest &request, TargetUse use, MemoryContext memory, ConnectionKeeper *keeper)
    : request_(request), use_(use), own_keeper_(memory), keeper_(keeper != nullptr ? *keeper : own_keeper_),
      zone_(TimeZone::resolve(request.time_zone ? request.time_zone->c_str() : nullptr)),
      column_zone_(request.column_time_zone ? TimeZone::resolve(request.column_time_zone->c_str()) : zone_) {
    key_.window = request.window(zone_);
    key_.job_id = request.job_id;
    key_.snapshot = request.snapshot.text();
}

AclMode PreparedRun::needed_on_target() const { return pgci::needed_on_target(request_); }

// What needs no connection.
void PreparedRun::resolve() {
    check_may_connect();
    written_query_ = request_.written_query(window_text());
    if (request_.replace_where) replace_where_ = slice_condition(*request_.replace_where, window_text());
    if (const std::optional<SliceTexts> texts = slice_texts(request_); texts && key_.window)
        check_slice_fits(*texts, *key_.window, zone_);
    if (request_.update_where)
        check_condition(*request_.update_where, "update_where", "excluded.updated_at > users.updated_at");
    if (request_.transform) check_transform(*request_.transform);
    if (OidIsValid(request_.target)) target_ = Target::open(request_.target, use_, needed_on_target());
    options_ = resolve_source(request_.src_conninfo);
    key_.source = identify_source(*options_);
    key_.query_hash = hash_query(request_);
    key_.transform_hash = hash_transform(request_);
}

void PreparedRun::connect(Opening opening) {
    opening.query = &*written_query_;
    opening.snapshot = request_.snapshot;
    const ProgressFacts facts{
        .target = target_ ? target_->oid() : request_.target, .job_id = key_.job_id, .window = key_.window};
    std::optional<ShownWait> shown;
    opening.observer = [&](bool waits) {
        if (waits)
            shown.emplace(facts, Activity::waits_for_connection);
        else
            shown.reset();
    };
    source_.emplace(*options_, zone_, keeper_, opening);
}

void PreparedRun::find_source_tables() {
    if (!written_query_->relations().empty())
        key_.source_tables = read_tables(ask(source_->connection(), tables_question(*written_query_)));
}

std::optional<NewTable> PreparedRun::find_or_design_target() {
    if (!target_) {
        const WrittenName name = request_.target_name.empty() ? Target::name_in(*query_, columns_, *source_)
                                                              : parse_name(request_.target_name);
        target_ = Target::find(name, use_, needed_on_target());
        if (!target_) return design_target(request_, *source_, *written_query_, columns_, name);
    }
    key_.target = target_->oid();
    return std::nullopt;
}

void PreparedRun::find_target() {
    const std::optional<NewTable> missing = find_or_design_target();
    if (!missing) return;
    if (!request_.create_target || use_ == TargetUse::look) raise_no_target(request_, *missing);
    const NewTable::Created created = create_target(request_, *missing);
    if (created.is_new) note_ddl(missing->statements());
    target_ = Target::open(created.oid, use_, needed_on_target());
    key_.target = target_->oid();
}

std::optional<Oid> PreparedRun::find_column_type(const std::string &name) {
    resolve();
    connect();
    for (const SourceColumn &column : source_->describe(*written_query_))
        if (column.name == name) return column.type;
    return std::nullopt;
}

void PreparedRun::look_at_source() {
    resolve();
    connect();
    describe();
}

void PreparedRun::open() {
    look_at_source();
    find_target();
    mark_left_out(request_, columns_, *target_);
}

std::optional<NewTable> PreparedRun::open_or_design() {
    look_at_source();
    std::optional<NewTable> missing = find_or_design_target();
    if (!missing) mark_left_out(request_, columns_, *target_);
    return missing;
}

TargetChange PreparedRun::find_change() {
    return pgci::find_change(request_, *source_, *written_query_, columns_, *target_);
}

std::vector<std::string> PreparedRun::find_new_partitions() const {
    if (request_.create_partitions == CreatePartitions::none) return {};
    const TargetColumn *const column = target_->find_column(*request_.window_column);
    return column == nullptr
               ? std::vector<std::string>{}
               : pgci::find_new_partitions(*target_, *key_.window, *column, column_zone_, request_.create_partitions);
}

void PreparedRun::adapt_target() {
    if (find_change().empty() && find_new_partitions().empty()) return;
    target_->lock_for_change();
    // The run that had the lock may have done the same.
    if (const TargetChange change = find_change(); !change.empty()) {
        change_target(request_, change, *target_);
        note_ddl(change.statements());
        target_->open_again();
    }
    if (const std::vector<std::string> partitions = find_new_partitions(); !partitions.empty()) {
        check_owner(*target_, partitions);
        execute_change(partitions);
        note_ddl(partitions);
    }
    mark_left_out(request_, columns_, *target_);
}

void PreparedRun::note_ddl(const std::vector<std::string> &statements) {
    ddl_ += (ddl_.empty() ? "" : "\n") + script_of(statements);
}

// The query is described as it was written, before anything is put around it; then with the window's condition.
void PreparedRun::describe() {
    columns_ = source_->describe(*written_query_);
    check_known_columns(request_, columns_);
    query_ = written_query_;
    if (!request_.window_column) return bind();
    const std::string &name = *request_.window_column;
    const Oid type = find_window_column(*source_, columns_, name, *key_.window).type;
    if (!is_of_ids()) check_known_window_type(request_, type);
    if (!is_of_ids() && type != TIMESTAMPTZOID) key_.column_time_zone = column_zone_.name();
    query_ = written_query_->within(window_of_column(*key_.window, type, column_zone_, name), name);
    const auto is_same = [](const SourceColumn &a, const SourceColumn &b) {
        return a.name == b.name && a.type == b.type;
    };
    const std::vector<SourceColumn> again = source_->describe(*query_);
    if (!std::equal(columns_.begin(), columns_.end(), again.begin(), again.end(), is_same))
        source_->connection().raise_protocol_violation("other columns than the query has without its window");
}

// Begins a new transaction at the source, with the query as it is: in nearly all cases the source has not changed.
void PreparedRun::describe_again() {
    const std::vector<Oid> parameter_types = source_->parameter_types();
    source_->restart(zone_, &*query_);
    const std::vector<SourceColumn> columns = source_->describe(*query_);
    const auto is_same = [](const SourceColumn &a, const SourceColumn &b) {
        return a.name == b.name && a.type == b.type && a.typmod == b.typmod && a.table == b.table;
    };
    if (parameter_types != source_->parameter_types() ||
        !std::equal(columns_.begin(), columns_.end(), columns.begin(), columns.end(), is_same))
        describe();
}

void PreparedRun::bind() {
    if (!key_.window) return;
    query_ = bind_window(*source_, *written_query_, *key_.window, zone_);
    const std::vector<Oid> &types = source_->parameter_types();
    if (std::any_of(types.begin(), types.end(), [](Oid type) { return type == TIMESTAMPOID || type == DATEOID; }))
        key_.column_time_zone = zone_.name();
    if (!query_->bounds().placeholder_casts.empty())
        check_placeholders(*source_, *query_, only_table(columns_), *key_.window, zone_);
}

SourceIds PreparedRun::source_ids() { return {*source_, zone_, *written_query_, *window_column()}; }

const SourceColumn *PreparedRun::window_column() const {
    if (!request_.window_column) return nullptr;
    return &*std::find_if(columns_.begin(), columns_.end(),
                          [&](const SourceColumn &column) { return column.name == *request_.window_column; });
}

std::string PreparedRun::described_window() const {
    return std::string(key_.window ? "window " : "") + window_name() +
           (request_.job.empty() ? " of " : " of job \"" + request_.job + "\" into ") + target_->name();
}

std::string PreparedRun::limit_warning() const {
    if (!request_.window_column || !written_query_->is_limited()) return "";
    return "the query's LIMIT or OFFSET is applied before the window of \"" + *request_.window_column +
           "\", so that rows of the window may be missing";
}

} // namespace pgci
