# Sourced by check, demo and bench: throwaway clusters in WORK/run.
# shellcheck shell=bash

# Print a TCP port of 127.0.0.1 on which nobody listens, below the range that the kernel hands out by itself.
free_port() {
    local port
    while :; do
        port=$((10240 + RANDOM % 20000))
        if ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
}

# start_cluster NAME [SETTING...]: create and start a cluster in WORK/run/NAME; log in WORK/run/NAME.log.
# Its superuser is postgres: no password over the Unix socket, which lies in WORK/run (mode 700); over TCP everybody
# needs a scram password. Sets CLUSTER_PORT; the socket's folder is WORK/run.
start_cluster() {
    local name=$1 data=$WORK/run/$1 attempt
    shift
    quietly as_server_user "$BINDIR/initdb" -D "$data" -U postgres -E UTF8 --no-locale --no-sync \
        --auth-local=trust --auth-host=scram-sha-256
    printf '%s\n' "listen_addresses = '127.0.0.1'" "unix_socket_directories = '$WORK/run'" "fsync = off" \
        "max_wal_size = 4GB" "log_line_prefix = '%m [%p] %q%u@%d '" "$@" |
        as_server_user tee -a "$data/postgresql.conf" >/dev/null
    for attempt in 1 2 3 4 5; do
        CLUSTER_PORT=$(free_port)
        if as_server_user "$BINDIR/pg_ctl" start -D "$data" -l "$WORK/run/$name.log" -w -s \
            -o "-p $CLUSTER_PORT" >/dev/null 2>&1; then
            return 0
        fi
        ((attempt < 5)) || break
    done
    cat "$WORK/run/$name.log" >&2
    fail "the server \"$name\" did not start"
}

# stop_cluster NAME: stop it and let every session end by itself first.
stop_cluster() {
    as_server_user "$BINDIR/pg_ctl" stop -D "$WORK/run/$1" -m fast -s
}
