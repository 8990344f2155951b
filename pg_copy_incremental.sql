-- The SQL objects of pg_copy_incremental. Facts about behaviour: README.md.

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION pg_copy_incremental" to load this file. \quit

-- The ledger: one row per run, committed together with the rows that it speaks of. The functions below write it with
-- the rights of its owner, so that who may copy needs no right on it.
CREATE TABLE copy_incremental_runs (
    run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username name NOT NULL,
    target regclass NOT NULL,
    data_interval tstzrange,
    source text NOT NULL,
    query_hash text NOT NULL,
    mode text NOT NULL,
    method text NOT NULL,
    rows_read bigint NOT NULL DEFAULT 0,
    rows_written bigint NOT NULL DEFAULT 0,
    rows_deleted bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    batches bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    ended_at timestamptz,
    status text NOT NULL DEFAULT 'running'
        CHECK (status OPERATOR(pg_catalog.=) ANY (ARRAY['running', 'partial', 'succeeded', 'skipped', 'failed', 'crashed', 'forgotten'])),
    sqlstate text,
    message text
);

CREATE INDEX copy_incremental_runs_key ON copy_incremental_runs (target, query_hash, source);
COMMENT ON INDEX copy_incremental_runs_key IS 'has a window been loaded?';

COMMENT ON TABLE copy_incremental_runs IS
'the ledger: what was copied from where, one row per run, committed with the rows themselves; users see their own runs';
COMMENT ON SEQUENCE copy_incremental_runs_run_id_seq IS 'run_id of copy_incremental_runs';
COMMENT ON COLUMN copy_incremental_runs.run_id IS 'the run''s number; gaps are runs that were rolled back';
COMMENT ON COLUMN copy_incremental_runs.username IS 'who called';
COMMENT ON COLUMN copy_incremental_runs.target IS 'the table that was written';
COMMENT ON COLUMN copy_incremental_runs.data_interval IS 'the window, half-open; NULL is a whole result';
COMMENT ON COLUMN copy_incremental_runs.source IS 'the foreign server, or host:port/dbname; never a password';
COMMENT ON COLUMN copy_incremental_runs.query_hash IS 'hash of query_template';
COMMENT ON COLUMN copy_incremental_runs.mode IS 'append, skip, upsert or replace';
COMMENT ON COLUMN copy_incremental_runs.method IS 'cursor, bulk or copy';
COMMENT ON COLUMN copy_incremental_runs.rows_read IS 'rows that came from the source';
COMMENT ON COLUMN copy_incremental_runs.rows_written IS 'rows inserted or updated';
COMMENT ON COLUMN copy_incremental_runs.rows_deleted IS 'rows that mode replace deleted';
COMMENT ON COLUMN copy_incremental_runs.bytes IS 'size of the values received, in bytes';
COMMENT ON COLUMN copy_incremental_runs.batches IS 'batches written; method copy has one';
COMMENT ON COLUMN copy_incremental_runs.started_at IS 'clock time of the begin';
COMMENT ON COLUMN copy_incremental_runs.ended_at IS 'clock time of the end, before the commit; NULL while it runs';
COMMENT ON COLUMN copy_incremental_runs.status IS
'succeeded; failed, crashed: nothing of it was written; skipped: had nothing to do, by on_rerun; running: a run of copy_incremental_start(); partial: batches of copy_incremental_batches() that are committed, the rest is not; forgotten: see copy_incremental_forget()';
COMMENT ON COLUMN copy_incremental_runs.sqlstate IS 'of the error that a failed run ended in';
COMMENT ON COLUMN copy_incremental_runs.message IS 'the primary message of that error';

ALTER TABLE copy_incremental_runs ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_runs ON copy_incremental_runs FOR SELECT
    USING (username OPERATOR(pg_catalog.=) current_user);
COMMENT ON POLICY own_runs ON copy_incremental_runs IS 'users see their own';
GRANT SELECT ON copy_incremental_runs TO PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('copy_incremental_runs', '');
SELECT pg_catalog.pg_extension_config_dump('copy_incremental_runs_run_id_seq', '');

-- Rows that runs with on_error => 'reject' put aside, committed together with the rows that they loaded.
CREATE TABLE copy_incremental_rejects (
    run_id bigint NOT NULL,
    username name NOT NULL,
    batch bigint NOT NULL,
    source_row jsonb NOT NULL,
    sqlstate text NOT NULL,
    message text NOT NULL,
    detail text,
    constraint_name text,
    column_name text
);

CREATE INDEX copy_incremental_rejects_run_id ON copy_incremental_rejects (run_id);
COMMENT ON INDEX copy_incremental_rejects_run_id IS 'the rows that a run put aside';

COMMENT ON TABLE copy_incremental_rejects IS
'rows that runs with on_error => ''reject'' put aside; users see those of their own runs';
COMMENT ON COLUMN copy_incremental_rejects.run_id IS 'of copy_incremental_runs';
COMMENT ON COLUMN copy_incremental_rejects.username IS 'who called';
COMMENT ON COLUMN copy_incremental_rejects.batch IS 'the batch that the row was in, counted from 1';
COMMENT ON COLUMN copy_incremental_rejects.source_row IS 'the row as it came from the source, an object of texts';
COMMENT ON COLUMN copy_incremental_rejects.sqlstate IS 'of the error that the row gave';
COMMENT ON COLUMN copy_incremental_rejects.message IS 'the primary message of that error';
COMMENT ON COLUMN copy_incremental_rejects.detail IS 'its detail';
COMMENT ON COLUMN copy_incremental_rejects.constraint_name IS 'the constraint that the row broke';
COMMENT ON COLUMN copy_incremental_rejects.column_name IS 'the column that the error names';

ALTER TABLE copy_incremental_rejects ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rejects ON copy_incremental_rejects FOR SELECT
    USING (username OPERATOR(pg_catalog.=) current_user);
COMMENT ON POLICY own_rejects ON copy_incremental_rejects IS 'users see their own';
GRANT SELECT ON copy_incremental_rejects TO PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('copy_incremental_rejects', '');

CREATE FUNCTION copy_incremental(
    src_conninfo text,
    query_template text,
    day date,
    batch integer DEFAULT 2000,
    target regclass DEFAULT NULL,
    mode text DEFAULT 'append',
    replace_where text DEFAULT NULL,
    key_columns text[] DEFAULT NULL,
    transform text DEFAULT NULL,
    time_zone text DEFAULT NULL,
    on_rerun text DEFAULT 'error',
    method text DEFAULT 'cursor',
    settle text DEFAULT 'warn',
    lookback integer DEFAULT 0,
    verify boolean DEFAULT false,
    on_error text DEFAULT 'stop',
    reject_limit bigint DEFAULT NULL
) RETURNS bigint
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'copy_incremental';

COMMENT ON FUNCTION copy_incremental(text, text, date, integer, regclass, text, text, text[], text, text, text, text, text, integer, boolean, text, bigint) IS
'copies one day of rows from a source PostgreSQL into a table here, in one transaction; returns the rows written. Errors: 22004, 22008, 22023 bad argument; 42601, 25006 bad query; 42P01, 42P09, 42809, 42501 bad target; 42701, 42804 columns do not match; 42P10 no key; 44000 row outside of replace_where; 55000 already loaded, or not settled; 22000 verify found other rows; 54000 more rejected rows than reject_limit; 2F003, 42501, 42704 credentials; 08001, 08006, 08P01 connection; 55006 called by itself; and those of the source and of the INSERT';

-- Opens connections from this server, so it is granted on purpose.
REVOKE ALL ON FUNCTION copy_incremental(text, text, date, integer, regclass, text, text, text[], text, text, text, text, text, integer, boolean, text, bigint) FROM PUBLIC;

CREATE FUNCTION copy_incremental_range(
    src_conninfo text,
    query_template text,
    data_interval tstzrange,
    batch integer DEFAULT 2000,
    target regclass DEFAULT NULL,
    mode text DEFAULT 'append',
    replace_where text DEFAULT NULL,
    key_columns text[] DEFAULT NULL,
    transform text DEFAULT NULL,
    time_zone text DEFAULT NULL,
    on_rerun text DEFAULT 'error',
    method text DEFAULT 'cursor',
    settle text DEFAULT 'warn',
    lookback integer DEFAULT 0,
    verify boolean DEFAULT false,
    on_error text DEFAULT 'stop',
    reject_limit bigint DEFAULT NULL
) RETURNS bigint
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'copy_incremental_range';

COMMENT ON FUNCTION copy_incremental_range(text, text, tstzrange, integer, regclass, text, text, text[], text, text, text, text, text, integer, boolean, text, bigint) IS
'copy_incremental() for any half-open window of time. Errors: 22023 for a range that is empty, unbounded or not half-open; and those of copy_incremental()';

-- Opens connections from this server, so it is granted on purpose.
REVOKE ALL ON FUNCTION copy_incremental_range(text, text, tstzrange, integer, regclass, text, text, text[], text, text, text, text, text, integer, boolean, text, bigint) FROM PUBLIC;

CREATE PROCEDURE copy_incremental_batches(
    src_conninfo text,
    query_template text,
    day date,
    batch integer DEFAULT 2000,
    target regclass DEFAULT NULL,
    mode text DEFAULT 'append',
    replace_where text DEFAULT NULL,
    key_columns text[] DEFAULT NULL,
    transform text DEFAULT NULL,
    time_zone text DEFAULT NULL,
    on_rerun text DEFAULT 'error',
    method text DEFAULT 'cursor',
    settle text DEFAULT 'warn',
    lookback integer DEFAULT 0,
    verify boolean DEFAULT false,
    on_error text DEFAULT 'stop',
    reject_limit bigint DEFAULT NULL
)
    LANGUAGE C
    AS 'MODULE_PATHNAME', 'copy_incremental_batches';

COMMENT ON PROCEDURE copy_incremental_batches(text, text, date, integer, regclass, text, text, text[], text, text, text, text, text, integer, boolean, text, bigint) IS
'copy_incremental() that commits after every batch, for loads too long for one transaction. Errors: 2D000 inside a transaction block; and those of copy_incremental()';

-- Opens connections from this server, so it is granted on purpose.
REVOKE ALL ON PROCEDURE copy_incremental_batches(text, text, date, integer, regclass, text, text, text[], text, text, text, text, text, integer, boolean, text, bigint) FROM PUBLIC;

CREATE PROCEDURE copy_incremental_backfill(
    src_conninfo text,
    query_template text,
    first_day date,
    last_day date,
    batch integer DEFAULT 2000,
    target regclass DEFAULT NULL,
    mode text DEFAULT 'append',
    replace_where text DEFAULT NULL,
    key_columns text[] DEFAULT NULL,
    transform text DEFAULT NULL,
    time_zone text DEFAULT NULL,
    on_rerun text DEFAULT 'error',
    method text DEFAULT 'cursor',
    settle text DEFAULT 'warn',
    verify boolean DEFAULT false,
    on_error text DEFAULT 'stop',
    reject_limit bigint DEFAULT NULL,
    jobs integer DEFAULT 1,
    reprocess text DEFAULT 'missing'
)
    LANGUAGE C
    AS 'MODULE_PATHNAME', 'copy_incremental_backfill';

COMMENT ON PROCEDURE copy_incremental_backfill(text, text, date, date, integer, regclass, text, text, text[], text, text, text, text, text, boolean, text, bigint, integer, text) IS
'copies every day from first_day to last_day, both included, each in a transaction of its own, that reprocess says: missing (without a succeeded run), failed (whose last run failed) or all; a day that fails stops no other. Errors: that of the first day that failed, with all of them in the detail; 2D000 inside a transaction block; and those of copy_incremental()';

-- Opens connections from this server, so it is granted on purpose.
REVOKE ALL ON PROCEDURE copy_incremental_backfill(text, text, date, date, integer, regclass, text, text, text[], text, text, text, text, text, boolean, text, bigint, integer, text) FROM PUBLIC;

CREATE FUNCTION copy_incremental_missing(target regclass, first_day date, last_day date) RETURNS SETOF date
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'copy_incremental_missing';

COMMENT ON FUNCTION copy_incremental_missing(regclass, date, date) IS
'the days from first_day to last_day, both included, that no succeeded runs into target cover, whoever ran them; days of the session''s time zone. Errors: 22004, 22008, 22023; 42501 without SELECT or INSERT on target';

REVOKE ALL ON FUNCTION copy_incremental_missing(regclass, date, date) FROM PUBLIC;

CREATE FUNCTION copy_incremental_start(
    src_conninfo text,
    query_template text,
    day date,
    batch integer DEFAULT 2000,
    target regclass DEFAULT NULL,
    mode text DEFAULT 'append',
    replace_where text DEFAULT NULL,
    key_columns text[] DEFAULT NULL,
    transform text DEFAULT NULL,
    time_zone text DEFAULT NULL,
    on_rerun text DEFAULT 'error',
    method text DEFAULT 'cursor',
    settle text DEFAULT 'warn',
    lookback integer DEFAULT 0,
    verify boolean DEFAULT false,
    on_error text DEFAULT 'stop',
    reject_limit bigint DEFAULT NULL
) RETURNS bigint
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'copy_incremental_start';

COMMENT ON FUNCTION copy_incremental_start(text, text, date, integer, regclass, text, text, text[], text, text, text, text, text, integer, boolean, text, bigint) IS
'starts copy_incremental() in a background worker that outlives the session, at once and not with the transaction''s commit; returns the run_id. Errors: 53000 no background worker is free; 55P03 the target is locked; and those of copy_incremental() that show before the first row; later ones stand in copy_incremental_runs';

-- Opens connections from this server, so it is granted on purpose.
REVOKE ALL ON FUNCTION copy_incremental_start(text, text, date, integer, regclass, text, text, text[], text, text, text, text, text, integer, boolean, text, bigint) FROM PUBLIC;

CREATE FUNCTION copy_incremental_wait(run_id bigint, timeout interval DEFAULT NULL) RETURNS boolean
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'copy_incremental_wait';

COMMENT ON FUNCTION copy_incremental_wait(bigint, interval) IS
'waits for the end of a run that copy_incremental_start() has started; true when it has ended well, false when it is still running after the timeout. Errors: that of the run; 57P02 it crashed; 42704 no such run; 42501 another user''s';

REVOKE ALL ON FUNCTION copy_incremental_wait(bigint, interval) FROM PUBLIC;

CREATE FUNCTION copy_incremental_cancel(run_id bigint) RETURNS boolean
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'copy_incremental_cancel';

COMMENT ON FUNCTION copy_incremental_cancel(bigint) IS
'cancels a run that copy_incremental_start() has started, which then fails with 57014; false when it is not running. Errors: 42704 no such run; 42501 another user''s';

REVOKE ALL ON FUNCTION copy_incremental_cancel(bigint) FROM PUBLIC;

-- The numbers of progress.cpp. A user sees the runs of those whose activity he may see.
CREATE VIEW copy_incremental_progress AS
SELECT p.pid, CASE WHEN p.leader_pid OPERATOR(pg_catalog.<>) 0 THEN p.leader_pid::pg_catalog.int4 END AS leader_pid,
       p.run_id, a.usename AS username,
       p.relid::pg_catalog.regclass AS target,
       CASE WHEN p.has_window OPERATOR(pg_catalog.=) 1 THEN pg_catalog.tstzrange(
           '2000-01-01 00:00+00'::pg_catalog.timestamptz OPERATOR(pg_catalog.+)
               pg_catalog.make_interval(secs => p.window_start::pg_catalog.float8 OPERATOR(pg_catalog./) 1000000),
           '2000-01-01 00:00+00'::pg_catalog.timestamptz OPERATOR(pg_catalog.+)
               pg_catalog.make_interval(secs => p.window_end::pg_catalog.float8 OPERATOR(pg_catalog./) 1000000))
       END AS data_interval,
       p.rows_read, p.rows_written, p.bytes, p.batches, s.started_at,
       pg_catalog.round(s.seconds, 1) AS seconds, p.estimated_rows,
       CASE WHEN p.estimated_rows OPERATOR(pg_catalog.>) 0 THEN least(100, pg_catalog.round(
           100.0 OPERATOR(pg_catalog.*) p.rows_read OPERATOR(pg_catalog./) p.estimated_rows, 1)) END AS percent,
       CASE WHEN s.seconds OPERATOR(pg_catalog.>) 0 THEN pg_catalog.round(
           p.rows_read OPERATOR(pg_catalog./) s.seconds, 0) END AS rows_per_second,
       CASE WHEN p.rows_read OPERATOR(pg_catalog.>) 0 THEN pg_catalog.make_interval(secs => pg_catalog.round(
           s.seconds OPERATOR(pg_catalog.*) greatest(0, p.estimated_rows OPERATOR(pg_catalog.-) p.rows_read)
               OPERATOR(pg_catalog./) p.rows_read, 0)::pg_catalog.float8) END AS eta
  FROM (SELECT i.pid, i.relid, i.param1 AS bytes, i.param3 AS rows_read, i.param12 AS run_id, i.param13 AS has_window,
               i.param14 AS window_start, i.param15 AS window_end, i.param16 AS started_at, i.param17 AS batches,
               i.param18 AS estimated_rows, i.param19 AS rows_written, i.param20 AS leader_pid
          FROM pg_catalog.pg_stat_get_progress_info('COPY') AS i
         WHERE i.param11 OPERATOR(pg_catalog.=) 7163797 AND i.datid OPERATOR(pg_catalog.=) (
             SELECT d.oid FROM pg_catalog.pg_database AS d
              WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())) AS p
  JOIN pg_catalog.pg_stat_activity AS a ON a.pid OPERATOR(pg_catalog.=) p.pid
 CROSS JOIN LATERAL (SELECT t.started_at, EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-)
                            t.started_at) AS seconds
                       FROM (SELECT '2000-01-01 00:00+00'::pg_catalog.timestamptz OPERATOR(pg_catalog.+)
                                    pg_catalog.make_interval(secs => p.started_at::pg_catalog.float8
                                        OPERATOR(pg_catalog./) 1000000) AS started_at) AS t) AS s;

COMMENT ON VIEW copy_incremental_progress IS
'the runs of this database that are under way, each in its process: rows, bytes and batches so far, and what the estimate of the source''s planner makes of them: percent, and eta, the time that is left. For \watch';

COMMENT ON COLUMN copy_incremental_progress.pid IS 'the process that copies';
COMMENT ON COLUMN copy_incremental_progress.leader_pid IS 'the process that launched it; NULL for a session of its own';
COMMENT ON COLUMN copy_incremental_progress.run_id IS 'as in copy_incremental_runs';
COMMENT ON COLUMN copy_incremental_progress.username IS 'who called';
COMMENT ON COLUMN copy_incremental_progress.target IS 'the table that is written';
COMMENT ON COLUMN copy_incremental_progress.data_interval IS 'the window, half-open; NULL is a whole result';
COMMENT ON COLUMN copy_incremental_progress.rows_read IS 'rows that came from the source so far';
COMMENT ON COLUMN copy_incremental_progress.rows_written IS 'rows inserted or updated so far';
COMMENT ON COLUMN copy_incremental_progress.bytes IS 'size of the values received so far, in bytes';
COMMENT ON COLUMN copy_incremental_progress.batches IS 'batches written so far';
COMMENT ON COLUMN copy_incremental_progress.started_at IS 'when the rows began to come';
COMMENT ON COLUMN copy_incremental_progress.seconds IS 'since then';
COMMENT ON COLUMN copy_incremental_progress.estimated_rows IS 'what the source''s planner expects';
COMMENT ON COLUMN copy_incremental_progress.percent IS 'rows_read of estimated_rows, 100 at most';
COMMENT ON COLUMN copy_incremental_progress.rows_per_second IS 'rows_read in a second, since the rows began to come';
COMMENT ON COLUMN copy_incremental_progress.eta IS 'the time that is left, by estimated_rows';

GRANT SELECT ON copy_incremental_progress TO PUBLIC;

CREATE FUNCTION copy_incremental_forget(target regclass, first_day date, last_day date) RETURNS bigint
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'copy_incremental_forget';

COMMENT ON FUNCTION copy_incremental_forget(regclass, date, date) IS
'forgets that the windows from first_day to last_day, both included, were copied into target, so that append loads them again; NULL is no bound, and both NULL forget whole results too. Returns how many runs. Users forget their own runs, the target''s owner all. Errors: 22004, 22008, 22023';

REVOKE ALL ON FUNCTION copy_incremental_forget(regclass, date, date) FROM PUBLIC;

CREATE FUNCTION copy_incremental_describe(
    src_conninfo text,
    query_template text,
    day date,
    target regclass DEFAULT NULL,
    mode text DEFAULT 'append',
    replace_where text DEFAULT NULL,
    key_columns text[] DEFAULT NULL,
    transform text DEFAULT NULL,
    time_zone text DEFAULT NULL,
    method text DEFAULT 'cursor',
    OUT source_column text,
    OUT source_type text,
    OUT travels text,
    OUT target_column text,
    OUT target_type text,
    OUT conversion text,
    OUT note text
) RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 20
    AS 'MODULE_PATHNAME', 'copy_incremental_describe';

COMMENT ON FUNCTION copy_incremental_describe(text, text, date, regclass, text, text, text[], text, text, text) IS
'what copy_incremental() would do with each column: how it travels, how it is converted, what fills the others; reads no rows and writes nothing. Errors: those of copy_incremental() before its first row, but columns that do not match and missing rights are rows here';

-- Opens connections from this server, so it is granted on purpose.
REVOKE ALL ON FUNCTION copy_incremental_describe(text, text, date, regclass, text, text, text[], text, text, text) FROM PUBLIC;

CREATE FUNCTION copy_incremental_explain(
    src_conninfo text,
    query_template text,
    day date,
    target regclass DEFAULT NULL,
    mode text DEFAULT 'append',
    replace_where text DEFAULT NULL,
    key_columns text[] DEFAULT NULL,
    transform text DEFAULT NULL,
    time_zone text DEFAULT NULL,
    method text DEFAULT 'cursor',
    OUT item text,
    OUT value text
) RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 12
    AS 'MODULE_PATHNAME', 'copy_incremental_explain';

COMMENT ON FUNCTION copy_incremental_explain(text, text, date, regclass, text, text, text[], text, text, text) IS
'what copy_incremental() would do: window, target, statements, the source''s plan and estimate, missing rights, warnings and errors; reads no rows and writes nothing. Errors: those of copy_incremental() before it plans its statements; later ones are rows here';

-- Opens connections from this server, so it is granted on purpose.
REVOKE ALL ON FUNCTION copy_incremental_explain(text, text, date, regclass, text, text, text[], text, text, text) FROM PUBLIC;

CREATE FUNCTION copy_incremental_verify(
    src_conninfo text,
    query_template text,
    day date,
    target regclass DEFAULT NULL,
    replace_where text DEFAULT NULL,
    key_columns text[] DEFAULT NULL,
    time_zone text DEFAULT NULL,
    OUT matches boolean,
    OUT source_rows bigint,
    OUT target_rows bigint,
    OUT missing bigint,
    OUT extra bigint,
    OUT changed bigint
) RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1
    AS 'MODULE_PATHNAME', 'copy_incremental_verify';

COMMENT ON FUNCTION copy_incremental_verify(text, text, date, regclass, text, text[], text) IS
'are the rows of a window at the source those in the target? Counts and checksums, computed on each server. Errors: 0A000 the window''s rows in the target are not known; 42703 no such key column; and those of copy_incremental() before its first row';

-- Opens connections from this server, so it is granted on purpose.
REVOKE ALL ON FUNCTION copy_incremental_verify(text, text, date, regclass, text, text[], text) FROM PUBLIC;

CREATE FUNCTION copy_incremental_verify_rows(
    src_conninfo text,
    query_template text,
    day date,
    target regclass DEFAULT NULL,
    replace_where text DEFAULT NULL,
    key_columns text[] DEFAULT NULL,
    time_zone text DEFAULT NULL,
    OUT difference text,
    OUT key jsonb
) RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'copy_incremental_verify_rows';

COMMENT ON FUNCTION copy_incremental_verify_rows(text, text, date, regclass, text, text[], text) IS
'the rows that copy_incremental_verify() counts as missing, extra or changed, by their keys. Errors: those of copy_incremental_verify()';

-- Opens connections from this server, so it is granted on purpose.
REVOKE ALL ON FUNCTION copy_incremental_verify_rows(text, text, date, regclass, text, text[], text) FROM PUBLIC;

-- Not for users: the INSERT of a run, which has the rights of whoever called copy_incremental, reads its batch from
-- here. Called by anything else it only raises an error, so the right to execute it gives nobody anything.
CREATE FUNCTION copy_incremental_batch_rows() RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 2000
    AS 'MODULE_PATHNAME', 'copy_incremental_batch_rows';

COMMENT ON FUNCTION copy_incremental_batch_rows() IS
'internal: the rows of the batch that a running copy inserts. Errors: 55000 outside of a copy';
