# Sourced by the tests of the packages, which run as root in a release of Debian: the server's user, installing.
# shellcheck shell=bash
set -eEuo pipefail
trap 'echo "${BASH_SOURCE[0]##*/}, line $LINENO: failed: $BASH_COMMAND" >&2' ERR
cd /tmp

as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups env HOME=/tmp "$@"; }

# No release of Debian has 16: its server gets a place beside those of Debian. The package is linked with Debian's libpq, and
# not with a libpq.a, which does not work in a server.
place_server_16() {
    rm -rf /usr/lib/postgresql/16
    cp -a /srv/servers/16 /usr/lib/postgresql/16
    rm -f /usr/lib/postgresql/16/lib/libpq.{a,so*}
}

# files_of_package: what it leaves in the server's folders.
files_of_package() { find /usr/lib/postgresql /usr/share -name '*copy_incremental*' -o -name '*copy-incremental*'; }

# Nothing can satisfy a dependency on 16.
install_package() {
    local options=()
    [[ $1 != */16 ]] || options=(--force-depends)
    dpkg "${options[@]}" -i "$1"/*.deb
}

# Remove it, and fail if a file stays.
remove_package() {
    dpkg --purge "postgresql-$1-copy-incremental"
    [[ -z $(files_of_package) ]] || { files_of_package; exit 1; }
}

# start_server BINDIR DATA PORT [AUTHENTICATION]: a throwaway server of postgres. With peer, TCP asks for a password.
start_server() {
    local bin=$1 data=$2 port=$3 method=${4:-trust}
    if [[ ! -d $data ]]; then
        echo secret >/tmp/password
        chmod 644 /tmp/password
        as_postgres "$bin/initdb" -D "$data" -U postgres --auth-local="$method" --auth-host="${method/peer/scram-sha-256}" \
            --pwfile=/tmp/password -E UTF8 --no-locale >/dev/null
    fi
    as_postgres "$bin/pg_ctl" start -w -D "$data" -l "$data.log" -o "-p $port -k /tmp -h 127.0.0.1" >/dev/null
}

stop_server() { as_postgres "$1/pg_ctl" stop -w -D "$2" -m fast >/dev/null; }

# installcheck FOLDER PG_MAJOR PORT: as a user runs it.
installcheck() {
    as_postgres PGHOST=/tmp PGPORT="$3" PGUSER=postgres PGPASSWORD=secret make -C "$1" installcheck \
        PG_CONFIG="/usr/lib/postgresql/$2/bin/pg_config" || { cat "$1"/regression.diffs "$1"/output_iso/regression.diffs 2>/dev/null; exit 1; }
}

sql() { psql -X -At -v ON_ERROR_STOP=1 -h /tmp -U postgres "$@"; }

# fill PORT: a database that uses the extension: the ledger, a role that may call it, a source that is the server itself.
fill() {
    sql -p "$1" -q -d postgres <<SQL
CREATE DATABASE dwh;
CREATE DATABASE shop;
CREATE ROLE etl LOGIN;
CREATE ROLE etl_reader LOGIN PASSWORD 'secret';
\c shop
CREATE TABLE users (id int, created_at timestamptz);
INSERT INTO users SELECT g, timestamptz '2018-07-29Z' + g * interval '1 hour' FROM generate_series(0, 47) AS g;
GRANT SELECT ON users TO etl_reader;
\c dwh
CREATE EXTENSION pg_copy_incremental;
CREATE EXTENSION postgres_fdw;
CREATE SERVER src FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$1', dbname 'shop');
CREATE USER MAPPING FOR PUBLIC SERVER src OPTIONS (user 'etl_reader', password 'secret');
CREATE TABLE users (id int, created_at timestamptz);
GRANT EXECUTE ON FUNCTION copy_incremental TO etl;
GRANT USAGE ON FOREIGN SERVER src TO etl;
SET timezone = 'UTC';
SELECT copy_incremental('src', 'SELECT * FROM users WHERE created_at >= \$1 AND created_at < \$2', '2018-07-29');
SQL
}

# used PORT: what must be the same after a dump or an upgrade.
used() {
    sql -p "$1" -d dwh -c "SELECT count(*), sum(id) FROM users" \
        -c "SELECT run_id, username, target, data_interval, source, mode, rows_written, status FROM copy_incremental_runs ORDER BY 1" \
        -c "SELECT extversion FROM pg_extension WHERE extname = 'pg_copy_incremental'" \
        -c "SELECT has_function_privilege('etl', p.oid, 'EXECUTE'), proacl FROM pg_proc AS p WHERE proname LIKE 'copy_incremental%' ORDER BY p.oid::regprocedure::text"
}

# works PORT: the same day is known, the next day can be copied and gets a new number.
works() {
    local port=$1 said
    sql -p "$port" -d dwh -q -c "ALTER SERVER src OPTIONS (SET port '$port')"
    said=$(sql -p "$port" -d dwh -c "SET timezone = 'UTC'" -c "SELECT copy_incremental('src', \$\$SELECT * FROM users WHERE created_at >= \$1 AND created_at < \$2\$\$, '2018-07-29')" 2>&1) && exit 1
    grep -q 'already loaded' <<<"$said"
    [[ $(sql -p "$port" -d dwh -q -c "SET timezone = 'UTC'" -c "SELECT copy_incremental('src', \$\$SELECT * FROM users WHERE created_at >= \$1 AND created_at < \$2\$\$, '2018-07-30')") == 24 ]]
    [[ $(sql -p "$port" -d dwh -c "SELECT count(*), count(DISTINCT run_id) FROM copy_incremental_runs") == '2|2' ]]
}
