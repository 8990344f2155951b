# Sourced by fuzz: the fuzzers that run within a server, test/fuzz/server/, as SQL functions.
# shellcheck shell=bash disable=SC2034

# What of src/ they link, beside all of src/server/.
FUZZED_SOURCES=(rows/row_decoder rows/value_decoder template/template_scanner template/placeholders source/plan_scans)

# Start a server with the fuzzers loaded: the one with sanitizers if `make check-sanitizers` has built it, else the
# installed one.
start_fuzz_server() {
    local folder source
    folder=$(sanitized_folder)
    if [[ -e $folder/complete ]]; then
        PG_CONFIG=$folder/server/bin/pg_config
        set_sanitizer_options
        report_to "$WORK/run/sanitizers"
    fi
    BINDIR=$("$PG_CONFIG" --bindir)
    mkdir -p "$WORK/module/src"
    (cd "$CLONE" && tar -cf - Makefile "$EXTENSION.control" src/*/*.hpp src/*/*.inc src/server/*.cpp \
        $(printf "src/%s.cpp " "${FUZZED_SOURCES[@]}")) | tar -C "$WORK/module" -xf -
    cp -r "$CLONE/test/fuzz/server" "$WORK/module/src/fuzz"
    quietly make --no-print-directory -s -C "$WORK/module" -j "$(nproc)" PG_CONFIG="$PG_CONFIG" \
        PG_CXXFLAGS='-std=c++20 -Wall -Wextra -fsanitize-coverage=trace-pc' "$EXTENSION.so" || return
    start_cluster fuzz
    fuzz_psql "
        CREATE FUNCTION fuzz_rows(float8, int8, oid[]) RETURNS text STRICT LANGUAGE c AS '$WORK/module/$EXTENSION';
        CREATE FUNCTION fuzz_plans(float8, int8) RETURNS text STRICT LANGUAGE c AS '$WORK/module/$EXTENSION';
        CREATE FUNCTION fuzz_templates(float8, int8) RETURNS text STRICT LANGUAGE c AS '$WORK/module/$EXTENSION';
        CREATE TYPE colour AS ENUM ('red', 'green');
        CREATE TYPE thing AS (i int4, c colour, t text);
        CREATE DOMAIN positive AS int4 CHECK (VALUE > 0);
        CREATE DOMAIN things AS thing[] CHECK (array_length(VALUE, 1) < 3);"
}

# fuzz_psql SQL
fuzz_psql() {
    as_server_user "$BINDIR/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$WORK/run" -p "$CLUSTER_PORT" -U postgres postgres -c "$1"
}

# fuzz_in_server NAME SECONDS: print its figures; SEED is printed, and repeats a run.
fuzz_in_server() {
    local name=$1 seconds=$2 seed=${SEED:-$((RANDOM * 32768 + RANDOM))} status=0 types=
    [[ -n ${CLUSTER_PORT:-} ]] || start_fuzz_server || return
    if [[ $name == rows ]]; then
        types=", (SELECT array_agg(t.oid ORDER BY t.oid) FROM pg_type AS t LEFT JOIN pg_type AS e ON e.oid = t.typelem
            WHERE t.typsend <> 0 AND t.typreceive <> 0 AND t.typtype <> 'p' AND COALESCE(e.typtype, 'b') <> 'p'
            AND (t.typtype <> 'c' OR t.oid >= 16384) AND (COALESCE(e.typtype, 'b') <> 'c' OR t.oid >= 16384)
            AND t.typname <> ALL ('{pg_node_tree,pg_ndistinct,pg_dependencies,pg_mcv_list}'))"
    fi
    fuzz_psql "SET client_min_messages = error; SELECT fuzz_$name($seconds, $seed$types)" >"$WORK/$name.log" 2>&1 ||
        status=$?
    printf '%-20s %s, seed %s\n' "$name" "$(head -n 1 "$WORK/$name.log")" "$seed"
    if grep -E 'terminated by signal|TRAP:|PANIC:|detected write past chunk end|\bleak\b|not closed' \
        "$WORK/run/fuzz.log" >>"$WORK/$name.log"; then
        status=1
    fi
    if [[ -d $WORK/run/sanitizers ]] && ! no_report "$WORK/run/sanitizers" >>"$WORK/$name.log"; then status=1; fi
    if ((status != 0)); then
        cp "$WORK/run/fuzz/fuzz.input" "$WORK/$name-input" 2>/dev/null || true
        cp "$WORK/run/fuzz.log" "$WORK/$name-server.log"
    fi
    return "$status"
}

no_report() {
    local reports
    mapfile -t reports < <(find "$1" -type f -size +0)
    ((${#reports[@]})) || return 0
    head -n 60 "${reports[@]}"
    return 1
}
