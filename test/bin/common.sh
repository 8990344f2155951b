# Sourced by check, demo and bench: messages, the temporary folder, who runs the servers.
# shellcheck shell=bash disable=SC2034

set -euo pipefail

# Nothing of the caller may lead a client to a server that is already there, or options into our own make calls.
for variable in "${!PG@}"; do
    [[ $variable == PG_* ]] || unset "$variable"
done
unset variable MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
export LC_ALL=C PGCLIENTENCODING=UTF8
umask 022

CLONE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
EXTENSION=pg_copy_incremental

# Say what happens now.
step() { printf '\n==> %s\n' "$*"; }

# End with a message.
fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Run a command quietly; show its output only when it fails.
quietly() {
    local log status=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 || status=$?
    if ((status != 0)); then
        cat "$log" >&2
    fi
    rm -f "$log"
    return "$status"
}

# Run a command as the user who owns the servers: postgres when root calls (a server refuses root), else the caller.
as_server_user() {
    if ((EUID == 0)); then
        setpriv --reuid=postgres --regid=postgres --init-groups env HOME="$WORK/run" "$@"
    else
        "$@"
    fi
}

# Make the temporary folder WORK, removed at exit with every server in it. WORK/run belongs to the server's user.
# It is in /tmp whatever TMPDIR says: a socket's path must be short, and the server's user must reach it.
make_work_folder() {
    BINDIR='' # make_server_tree sets it
    WORK=$(mktemp -d /tmp/pgci.XXXXXX)
    trap 'clean_up' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    chmod 755 "$WORK"
    mkdir "$WORK/run"
    if ((EUID == 0)); then
        chown postgres: "$WORK/run"
    fi
    chmod 700 "$WORK/run"
    cd "$WORK" # the server's user could not stand in a clone below /root
}

# End what runs besides the servers. A check that starts such programs defines it again.
end_programs() { :; }

# Stop the servers whose data lie in WORK (and no others), also those that a killed test left, and remove WORK.
clean_up() {
    local status=$? pid_file
    trap '' INT TERM HUP
    cd /
    end_programs || true
    if [[ ${KEEP:-} == 1 ]]; then
        keep_work_folder
        exit "$status"
    fi
    while IFS= read -r pid_file; do
        as_server_user "$BINDIR/pg_ctl" stop -D "${pid_file%/*}" -m immediate -t 20 >/dev/null 2>&1 || true
    done < <(find "$WORK/run" -name postmaster.pid 2>/dev/null)
    rm -rf "$WORK"
    exit "$status"
}

# Leave WORK and its servers; WORK/stop ends them.
keep_work_folder() {
    cat >"$WORK/stop" <<END
#!/bin/bash
$(declare -p WORK BINDIR)
$(declare -f as_server_user)
cd /
for pid_file in \$WORK/run/*/postmaster.pid; do
    [[ ! -e \$pid_file ]] || as_server_user "\$BINDIR/pg_ctl" stop -D "\${pid_file%/*}" -m fast
done
rm -rf "\$WORK"
END
    chmod 755 "$WORK/stop"
    printf '\nKEEP=1: everything was left in %s\nto stop and remove it: %s/stop\n' "$WORK" "$WORK"
}
