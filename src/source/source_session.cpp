#include "source/source_session.hpp"

#include "server/guard.hpp"
#include "server/sql_text.hpp"
#include "server/subtransaction.hpp"

namespace pgci {

bool source_row_security = false;

namespace {

// Limits the wait for a lock at the source even if lock_timeout is 0 in this session. The calling session may hold the
// lock, and the deadlock detector does not see both servers.
constexpr int default_lock_timeout = 30000; // milliseconds

RemoteConnection::Statement commit_statement() { return {.sql = "COMMIT"}; }
RemoteConnection::Statement begin_statement() { return {.sql = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"}; }

std::string setting(const std::string &name, const std::string &value) {
    return "pg_catalog.set_config(" + quote_literal(name) + ", " + quote_literal(value) + ", true)";
}

// What a snapshot sees, and which server has it. Another snapshot may have the same name after a restart of the source, or on
// another server behind the same address.
constexpr const char *snapshot_identity =
    "pg_catalog.hashtextextended(pg_catalog.pg_current_snapshot()::pg_catalog.text OPERATOR(pg_catalog.||) "
    "pg_catalog.encode(pg_catalog.timestamptz_send(pg_catalog.pg_postmaster_start_time()), 'hex'), 0)";

RemoteConnection::Statement import_statement(const SourceSnapshot &snapshot) {
    return {.sql = "SET TRANSACTION SNAPSHOT " + quote_literal(snapshot.text())};
}

[[noreturn]] void raise_snapshot_lost(const std::string &detail, const std::string &source) {
    raise(ErrorReport{.code = sqlstate::snapshot_lost,
                      .message = "the source does not have the snapshot of the job group any more",
                      .detail = detail,
                      .hint = "Nothing was written; call again. If it happens each time, check that all connections "
                              "reach the same server, and that no timeout of the source or of a pooler ends the "
                              "transaction that holds the snapshot.",
                      .context = "on source server " + source});
}

// The first query of the transaction is this one. After it, no statement can make the transaction read-write.
Question settings_question(const TimeZone &zone, int server_version, ConnectionUse use) {
    Question question{.kind = "the settings of the session", .columns = 3};
    std::string &sql = question.statement.sql;
    sql = "SELECT pg_catalog.pg_backend_pid(), pg_catalog.current_database(), "
          "pg_catalog.encode(pg_catalog.timestamptz_send(pg_catalog.pg_postmaster_start_time()), 'hex')";
    const auto set = [&](const char *name, const std::string &value) {
        sql += ", " + setting(name, value);
        ++question.columns;
    };
    set("client_encoding", GetDatabaseEncodingName());
    set("standard_conforming_strings", "on");
    // Sets only the style: the order of day, month and year determines how the source reads literals of the query.
    set("DateStyle", "ISO");
    set("IntervalStyle", "postgres");
    set("extra_float_digits", "3");
    set("bytea_output", "hex");
    set("lc_monetary", "C");
    set("xmloption", "content");
    set("TimeZone", zone.name());
    set("lock_timeout", std::to_string(LockTimeout > 0 ? LockTimeout : default_lock_timeout));
    // The transaction that holds a snapshot is idle as long as others read it.
    const bool is_idle = use == ConnectionUse::holds_snapshot;
    set("idle_in_transaction_session_timeout", is_idle ? "0" : "1h");
    if (is_idle && server_version >= 170000) set("transaction_timeout", "0");
    set("tcp_keepalives_idle", "30");
    set("tcp_keepalives_interval", "10");
    set("tcp_keepalives_count", "3");
    if (!source_row_security) set("row_security", "off");
    // Let the source detect a lost connection. The parameter exists from version 14 on; every version supports it on
    // Linux.
    if (server_version >= 140000) {
        sql += ", CASE WHEN pg_catalog.strpos(pg_catalog.version(), 'linux') OPERATOR(pg_catalog.>) 0 THEN " +
               setting("client_connection_check_interval", "1s") + " END";
        question.nullable = {question.columns++};
    }
    return question;
}

// From version 17 on, infinite intervals have the binary form of what is a finite interval before.
bool has_other_form(Oid type, int source_version) {
    constexpr int infinite_intervals = 170000;
    return (type == INTERVALOID || type == INTERVALARRAYOID) &&
           (source_version >= infinite_intervals) != (PG_VERSION_NUM >= infinite_intervals);
}

// Compares the start time, to the microsecond, and the database name.
bool is_this_database(const std::string &database, const std::string &start_time) {
    char ours[17];
    snprintf(ours, sizeof ours, "%016llx", static_cast<unsigned long long>(PgStartTime));
    const char *const name = pg_call([] { return get_database_name(MyDatabaseId); });
    return start_time == ours && name != nullptr && database == name;
}

} // namespace

Oid only_table(const std::vector<SourceColumn> &columns) {
    Oid table = InvalidOid;
    for (const SourceColumn &column : columns) {
        if (OidIsValid(table) && OidIsValid(column.table) && column.table != table) return InvalidOid;
        if (OidIsValid(column.table)) table = column.table;
    }
    return table;
}

SourceSession::SourceSession(const ConnectionOptions &options, const TimeZone &zone, ConnectionKeeper &keeper,
                             const Opening &opening)
    : snapshot_(opening.snapshot), use_(opening.use) {
    if (use_ == ConnectionUse::reads) connection_ = keeper.take(options);
    if (connection_ != nullptr) {
        try {
            begin(zone, opening);
            return;
        } catch (const PgError &error) {
            // The source may have closed it in this moment.
            if (connection_->is_open() || ends_the_call(error.data()->sqlerrcode)) throw;
        }
    }
    connection_ = keeper.connect(options, opening.observer, use_);
    begin(zone, opening);
}

Question SourceSession::settings(const TimeZone &zone) const {
    Question question = settings_question(zone, connection_->server_version(), use_);
    if (snapshot_.exists()) {
        question.statement.sql.append(", ").append(snapshot_identity);
        ++question.columns;
    }
    return question;
}

void SourceSession::begin(const TimeZone &zone, const Opening &opening) {
    const Question settings = this->settings(zone);
    connection_->enter_pipeline();
    send_begin(settings);
    for (const Question &question : opening.questions) send_question(*connection_, question);
    // Last, because it is the only one that can be an error of the user.
    send_description(opening.query);
    receive_begin(settings);
    opening_answers_.clear();
    for (const Question &question : opening.questions)
        opening_answers_.push_back(receive_answer(*connection_, question));
}

void SourceSession::restart(const TimeZone &zone, const SourceQuery *query) {
    const Question settings = this->settings(zone);
    send_commit();
    send_begin(settings);
    send_description(query);
    receive_commit();
    receive_begin(settings);
}

void SourceSession::send_begin(const Question &settings) {
    snapshot_at_ = snapshot_.exists() ? snapshot_.taken_at : GetCurrentTimestamp();
    connection_->send(begin_statement());
    if (snapshot_.exists()) connection_->send(import_statement(snapshot_));
    send_question(*connection_, settings);
}

void SourceSession::receive_begin(const Question &settings) {
    {
        const RemoteConnection::Expectation expectation(*connection_, "BEGIN", -1);
        connection_->receive_command(begin_statement(), "BEGIN");
    }
    if (snapshot_.exists()) receive_snapshot();
    const Answer answer = receive_answer(*connection_, settings);
    connection_->set_backend_pid(static_cast<int>(answer.integer(0, 0, 1, std::numeric_limits<int>::max())));
    is_this_database_ = pgci::is_this_database(answer.name(0, 1), answer.text(0, 2));
    if (snapshot_.exists() &&
        answer.integer(0, static_cast<std::size_t>(settings.columns) - 1, std::numeric_limits<std::int64_t>::min(),
                       std::numeric_limits<std::int64_t>::max()) != snapshot_.identity)
        raise_snapshot_lost("The source has another snapshot of the same name.", connection_->source());
}

void SourceSession::receive_snapshot() {
    const RemoteConnection::Expectation expectation(*connection_, "SET TRANSACTION SNAPSHOT", -1);
    try {
        connection_->receive_command(import_statement(snapshot_), "SET");
    } catch (const PgError &error) {
        const ErrorData *const data = error.data();
        const bool is_lost = ERRCODE_TO_CATEGORY(data->sqlerrcode) == ERRCODE_CONNECTION_EXCEPTION;
        if (is_lost || ends_the_call(data->sqlerrcode)) throw;
        raise_snapshot_lost("The source says: " + std::string(data->message) +
                                (data->detail != nullptr ? "; " + std::string(data->detail) : "."),
                            connection_->source());
    }
}

SourceSnapshot SourceSession::export_snapshot() {
    Question question{.kind = "the question about the snapshot", .columns = 2};
    question.statement.sql = std::string("SELECT pg_catalog.pg_export_snapshot(), ") + snapshot_identity;
    question.statement.hint =
        "The jobs of a group read a snapshot that pg_export_snapshot() of the source makes. If the source does not "
        "have or allow it, define the jobs without job_group.";
    const Answer answer = ask(*connection_, question);
    SourceSnapshot exported{.identity = answer.integer(0, 1, std::numeric_limits<std::int64_t>::min(),
                                                       std::numeric_limits<std::int64_t>::max()),
                            .taken_at = snapshot_at_};
    const std::string &name = answer.name(0, 0);
    if (name.size() >= exported.name.size() || name.find_first_not_of("0123456789ABCDEF-") != std::string::npos)
        answer.raise_wrong("no name of a snapshot");
    std::copy(name.begin(), name.end(), exported.name.begin());
    return exported;
}

// Names become part of SQL text, so they must be valid before they are quoted.
void SourceSession::check_name(const char *name) {
    if (!pg_verify_mbstr(GetDatabaseEncoding(), name, static_cast<int>(std::strlen(name)), true))
        connection_->raise_protocol_violation("a name that is not valid in the encoding of this database");
}

namespace {

// Adds how the type of a parameter is determined to an error that this type can have caused.
void explain_types(ErrorData *error) {
    switch (error->sqlerrcode) {
    case ERRCODE_UNDEFINED_FUNCTION:
    case ERRCODE_AMBIGUOUS_FUNCTION:
    case ERRCODE_DATATYPE_MISMATCH:
    case ERRCODE_INDETERMINATE_DATATYPE:
    case ERRCODE_AMBIGUOUS_PARAMETER:
    case ERRCODE_CANNOT_COERCE:
        break;
    default:
        return;
    }
    std::string hint = error->hint == nullptr ? "" : std::string(error->hint) + "\n";
    hint += "The source infers the types of $1 and $2 from what surrounds them. Write $1::timestamptz or $1::date to "
            "give one.";
    const char *const text = hint.c_str();
    pg_call([=] { error->hint = MemoryContextStrdup(CurTransactionContext, text); });
}

RemoteConnection::Statement described_statement(const SourceQuery &query) {
    RemoteConnection::Statement statement{.sql = query.text(), .shown_query = query.text()};
    if (query.has_literal_braces())
        statement.hint = "The template has parameters, so its braces mean nothing: {} was not replaced by the day.";
    return statement;
}

Result receive_typed_description(RemoteConnection &connection, const SourceQuery &query) {
    try {
        return connection.receive_description(described_statement(query));
    } catch (const PgError &error) {
        if (!query.parameters().empty()) explain_types(error.data());
        throw;
    }
}

} // namespace

void SourceSession::send_description(const SourceQuery *query) {
    if (query != nullptr) connection_->send_describe(described_statement(*query));
    sent_query_ = query;
}

std::vector<SourceColumn> SourceSession::describe(const SourceQuery &query) {
    if (sent_query_ != &query) send_description(&query);
    sent_query_ = nullptr;
    const Result description = receive_typed_description(*connection_, query);
    const PGresult *const result = description.get();
    if (PQnparams(result) != static_cast<int>(query.parameters().size()))
        connection_->raise_protocol_violation("another number of parameters than the query has");
    // No server returns more columns. The code below compares every column with every other.
    if (PQnfields(result) > MaxTupleAttributeNumber)
        connection_->raise_protocol_violation("more columns than a result can have");
    parameter_types_.clear();
    for (int i = 0; i < PQnparams(result); ++i) parameter_types_.push_back(PQparamtype(result, i));
    std::vector<SourceColumn> columns;
    for (int i = 0; i < PQnfields(result); ++i) {
        check_name(PQfname(result, i));
        columns.push_back({PQfname(result, i), PQftype(result, i), PQfmod(result, i), PQftable(result, i),
                           PQftablecol(result, i), has_other_form(PQftype(result, i), connection_->server_version())});
    }
    if (columns.empty())
        raise(sqlstate::datatype_mismatch, "query template returns no columns",
              "It must be a SELECT, VALUES or TABLE statement with at least one column.");
    return columns;
}

void SourceSession::send_commit() {
    // From now on a pooler may assign the backend to another client, whose query a cancel would hit.
    connection_->set_backend_pid(0);
    connection_->send(commit_statement());
}

void SourceSession::receive_commit() { connection_->receive_command(commit_statement(), "COMMIT"); }

} // namespace pgci
