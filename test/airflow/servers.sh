# shellcheck shell=bash
# The two servers of check-airflow: sourced, not run. A load can be made to wait at either of them.

at_source() { "$BINDIR/psql" -X -At -v ON_ERROR_STOP=1 -h "$WORK/run" -p "$SOURCE_PORT" -U postgres "$@"; }
at_destination() { "$BINDIR/psql" -X -At -v ON_ERROR_STOP=1 -h "$WORK/run" -p "$DESTINATION_PORT" -U postgres "$@"; }

# The source, with users and orders of three days, 10, 24 and 7, and 5 users of each of the last days.
start_source() {
    start_cluster source
    SOURCE_PORT=$CLUSTER_PORT
    at_source postgres -q <<'SQL'
CREATE DATABASE shop;
CREATE ROLE etl_reader LOGIN PASSWORD 'secret-of-source';
\c shop
CREATE TABLE users (id int PRIMARY KEY, created_at timestamptz NOT NULL);
INSERT INTO users
  SELECT row_number() OVER (), day + n * interval '1 minute'
    FROM (VALUES (timestamptz '2018-07-28Z', 10), ('2018-07-29Z', 24), ('2018-07-30Z', 7)) AS days(day, rows),
         generate_series(0, rows - 1) AS n;
CREATE TABLE orders AS SELECT id, created_at AS placed_at FROM users;
INSERT INTO users
  SELECT 1000 + row_number() OVER (), day + n * interval '1 minute'
    FROM generate_series(date_trunc('day', now(), 'UTC') - interval '3 days', now(), interval '1 day') AS day,
         generate_series(1, 5) AS n;
GRANT SELECT ON users, orders TO etl_reader;
SQL
}

# The destination, set up as doc/how-to/set-up-a-source.md says.
start_destination() {
    start_cluster destination
    DESTINATION_PORT=$CLUSTER_PORT
    at_destination postgres -q -c 'CREATE DATABASE dwh'
    at_destination dwh -q -c 'CREATE TABLE users (id int PRIMARY KEY, created_at timestamptz);
        CREATE TABLE orders (id int PRIMARY KEY, placed_at timestamptz)'
    at_destination dwh -q <<SQL
CREATE EXTENSION pg_copy_incremental;
CREATE EXTENSION postgres_fdw;
CREATE SERVER src FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$SOURCE_PORT', dbname 'shop');
CREATE ROLE etl LOGIN PASSWORD 'secret-of-destination';
CREATE USER MAPPING FOR etl SERVER src OPTIONS (user 'etl_reader', password 'secret-of-source');
GRANT USAGE ON FOREIGN SERVER src TO etl;
GRANT SELECT, INSERT, UPDATE, DELETE ON users, orders TO etl;
SELECT copy_incremental_grant('etl');
SQL
}

days_of() { at_destination dwh -c "SELECT coalesce(string_agg(concat_ws(':', day, rows), ' ' ORDER BY day), '') FROM (
    SELECT ($2 AT TIME ZONE 'UTC')::date AS day, count(*) AS rows FROM $1 GROUP BY 1) AS days"; }

runs() { at_destination dwh -c "SELECT count(*) FROM copy_incremental_runs WHERE status = 'succeeded'"; }

sessions_of_reader() { at_source shop -c "SELECT count(*) FROM pg_stat_activity WHERE usename = 'etl_reader' $*"; }
listeners() { sessions_of_etl "AND backend_type = 'client backend' AND state = 'idle' $*"; }
sessions_of_etl() { at_destination dwh -c "SELECT count(*) FROM pg_stat_activity WHERE usename = 'etl' $*"; }

# on_insert SQL: what a trigger of the destination's users does before each row; without SQL, no trigger.
on_insert() {
    at_destination dwh -q -c "SET client_min_messages = warning; DROP TRIGGER IF EXISTS test ON users" \
        -c "CREATE OR REPLACE FUNCTION test() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS \$\$BEGIN ${1:-} RETURN new; END\$\$"
    [[ -z ${1:-} ]] || at_destination dwh -q -c 'CREATE TRIGGER test BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION test()'
}

# hold_source: until it is released, loads wait in their query at the source.
hold_source() {
    "$BINDIR/psql" -X -q -h "$WORK/run" -p "$SOURCE_PORT" -U postgres shop \
        -c 'BEGIN; LOCK TABLE users; SELECT pg_sleep(600)' >/dev/null 2>&1 &
    HOLDER=$!
    eventually "the source is made to wait" 1 at_source shop -c \
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%' AND wait_event = 'PgSleep'"
}

# hold_inserts: until they are released, loads wait in a trigger of the destination.
hold_inserts() {
    on_insert 'PERFORM pg_advisory_xact_lock_shared(7);'
    "$BINDIR/psql" -X -q -h "$WORK/run" -p "$DESTINATION_PORT" -U postgres dwh \
        -c 'SELECT pg_advisory_lock(7)' -c 'SELECT pg_sleep(600)' >/dev/null 2>&1 &
    HOLDER=$!
    eventually "the destination is made to wait" 1 at_destination dwh -c \
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
}

# Releases what holds them.
release() {
    local at
    for at in "at_source shop" "at_destination dwh"; do
        $at -q -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'" >/dev/null
    done
    wait "$HOLDER" 2>/dev/null || true
}
