# shellcheck shell=bash
# Tasks that end in the middle of a load: sourced by check-airflow, not run.

# check_no_load NAME: the load ends at both ends.
check_no_load() {
    eventually "$1: ends the call here" 0 sessions_of_etl
    eventually "$1: and the query at the source" 0 sessions_of_reader
    check "$1: and the target is as it was" "" "$(days_of users created_at)"
}

# end_task HOW WHERE LOADS RUN: end a task, `airflow dags test RUN`, once so many loads wait at the source or destination, as
# WHERE says. HOW is a signal to its processes, or execution_timeout, which comes by itself.
end_task() {
    local how=$1 where=$2 loads=$3 run=$4 sessions=sessions_of_etl task
    local name="$how, $run waits at the $where"
    [[ $where != source ]] || sessions=sessions_of_reader
    at_destination dwh -q -c "TRUNCATE users; SELECT copy_incremental_forget('users', NULL, NULL)" >/dev/null
    # shellcheck disable=SC2086
    PATH=$VENV/bin:$PATH setsid env --default-signal=INT "$VENV/bin/airflow" dags test $run >>"$LOG" 2>&1 &
    task=$!
    disown "$task" # else the shell reports its end
    eventually "$name: the load waits" "$loads" "$sessions" "AND wait_event_type = 'Lock'"
    [[ $how != SIG* ]] || kill -"$how" -- "-$task" 2>/dev/null || true
    check_no_load "$name"
    # What is left would try again after retry_delay.
    kill -KILL -- "-$task" 2>/dev/null || true
}

# A task of the package hears Ctrl-C and execution_timeout. The driver of a SQL operator on Airflow 2 is psycopg2, which waits in C
# and hears neither.
check_kills() {
    local how backfill='users_backfill 2018-08-01 --conf {"first_day":"2018-07-28","last_day":"2018-07-30"}'
    hold_source
    end_task SIGINT source 1 'users_in_slot 2018-07-30T01:15:00'
    release
    hold_inserts
    end_task SIGINT destination 1 'users_in_slot 2018-07-30T01:15:00'
    end_task execution_timeout destination 1 'users_in_slot_timed 2018-07-30T01:15:00'
    end_task execution_timeout destination 1 'users_timed 2018-07-30T01:15:00'
    for how in SIGKILL SIGINT; do
        [[ $how != SIGINT ]] || ((MAJOR > 2)) || continue
        end_task "$how" destination 3 "$backfill"
    done
    release
    on_insert
}

# A task whose process is killed leaves its run; the retry waits for that one.
check_lost_task() {
    local task before
    before=$(runs)
    at_destination dwh -q -c "TRUNCATE users; SELECT copy_incremental_forget('users', NULL, NULL)" >/dev/null
    hold_inserts
    PATH=$VENV/bin:$PATH setsid "$VENV/bin/airflow" dags test users_in_slot 2018-07-30T01:15:00 >>"$LOG" 2>&1 &
    task=$!
    eventually "lost task: the load waits" 1 sessions_of_etl "AND wait_event_type = 'Lock'"
    kill -KILL -- "-$task" 2>/dev/null || true
    wait "$task" 2>/dev/null || true
    PATH=$VENV/bin:$PATH "$VENV/bin/airflow" dags test users_in_slot 2018-07-30T02:15:00 >>"$LOG" 2>&1 &
    task=$!
    eventually "lost task: the next one waits for its run" 1 listeners "AND query LIKE '%copy_incremental_runs%'"
    release
    wait "$task" || true
    check "lost task: the day is there once" "2018-07-29:24" "$(days_of users created_at)"
    check "lost task: by one run" $((before + 1)) "$(runs)"
    on_insert
}
