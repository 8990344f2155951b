# Sourced by the demo: SQL shown as a user types it, then run.
# shellcheck shell=bash

# psql at one of the servers: at_source DATABASE [PSQL OPTION...].
at_source() { psql_on "$SOURCE_PORT" "$@"; }
at_destination() { psql_on "$DESTINATION_PORT" "$@"; }

psql_on() {
    local port=$1 database=$2
    shift 2
    "$BINDIR/psql" -X -q -v ON_ERROR_STOP=1 -h "$WORK/run" -p "$port" -U postgres "$database" "$@"
}

heading() {
    printf '\n--- %s\n' "$1"
    shift
    (($# == 0)) || printf '%s\n' "$@"
    printf '\n'
}

note() { printf '%s\n\n' "$*"; }

# Print SQL as psql's prompt would show it, the password masked.
as_typed() {
    sed "s/$PASSWORD/********/g" |
        awk '{ print (inside ? "warehouse-# " : "warehouse=# ") $0; inside = $0 !~ /;( *--.*)?$/ }'
}

# Print the SQL of standard input, run it at the destination, print what it answers. Arguments are psql's.
show() {
    local sql
    sql=$(cat)
    as_typed <<<"$sql"
    at_destination warehouse "$@" <<<"$sql" 2>&1
}

# The same, with the middle of a long result left out.
show_shortened() {
    show | awk '/^warehouse/ { print; next } { line[++n] = $0 }
        END { for (i = 1; i <= n; i++) if (i <= 5 || i > n - 4) print line[i]; else if (i == 6) print "    ..." }'
}

# The same for a call that must fail; very long lines are cut.
show_failure() {
    local sql answer
    sql=$(cat)
    as_typed <<<"$sql"
    if answer=$(at_destination warehouse <<<"$sql" 2>&1); then
        fail "this should have failed, but answered: $answer"
    fi
    awk '{ print (length($0) > 200 ? substr($0, 1, 190) " ..." : $0) }' <<<"$answer"
    echo
}
