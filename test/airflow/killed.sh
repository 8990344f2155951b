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

# On Airflow 2 the driver is psycopg2, which waits in C and hears neither Ctrl-C nor execution_timeout.
check_kills() {
    local how daily='users_daily 2018-07-30T01:15:00'
    local backfill='users_backfill 2018-08-01 --conf {"first_day":"2018-07-28","last_day":"2018-07-30"}'
    hold_source
    end_task SIGKILL source 1 "$daily"
    release
    hold_inserts
    for how in SIGKILL SIGINT; do
        [[ $how != SIGINT ]] || ((MAJOR > 2)) || continue
        end_task "$how" destination 1 "$daily"
        end_task "$how" destination 3 "$backfill"
    done
    if ((MAJOR > 2)); then
        sed -i 's/default_args={/&"execution_timeout": timedelta(seconds=20), /' "$WORK/dags/users_daily.py"
        end_task execution_timeout destination 1 "$daily"
        cp "$CLONE/examples/airflow/users_daily.py" "$WORK/dags"
    fi
    release
    on_insert
}
