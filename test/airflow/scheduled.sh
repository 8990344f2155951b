# shellcheck shell=bash
# What a running scheduler does with the DAGs: sourced by check-airflow, not run.

SCHEDULER=() # the process groups of a running Airflow
TRIGGERER='' # and that of its triggerer

start_scheduler() {
    local port process programs=(scheduler)
    export AIRFLOW__CORE__KILLED_TASK_CLEANUP_TIME=5 AIRFLOW__CORE__PARALLELISM=4
    # How soon a triggerer takes over from one that is gone.
    export AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC=2 AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD=10
    if ((MAJOR > 2)); then
        port=$(free_port)
        export AIRFLOW__API__PORT=$port AIRFLOW__CORE__EXECUTION_API_SERVER_URL=http://127.0.0.1:$port/execution/
        export AIRFLOW__API_AUTH__JWT_SECRET=not-a-secret AIRFLOW__API__HOST=127.0.0.1 AIRFLOW__API__WORKERS=1
        programs+=(api-server dag-processor)
    fi
    for process in "${programs[@]}"; do
        start_program "$process"
    done
    start_triggerer
    # A task that begins before the API server answers fails, and waits for its retry.
    [[ $MAJOR == 2 ]] || eventually "the API server answers" yes accepts_connections "$port"
}

accepts_connections() { if (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then echo yes; fi; }

start_program() {
    PATH=$VENV/bin:$PATH setsid "$VENV/bin/airflow" "$1" >>"$WORK/airflow-$VERSION-$1.log" 2>&1 &
    SCHEDULER+=($!)
}

start_triggerer() {
    start_program triggerer
    TRIGGERER=${SCHEDULER[-1]}
}

# Each process of it: what the kernel does when memory is short.
kill_triggerer() {
    kill -KILL -- "-$TRIGGERER"
    wait "$TRIGGERER" 2>/dev/null || true
}

stop_scheduler() {
    local process
    for process in "${SCHEDULER[@]}"; do
        kill -TERM -- "-$process" 2>/dev/null || true
    done
    for process in "${SCHEDULER[@]}"; do
        wait "$process" 2>/dev/null || true
        kill -KILL -- "-$process" 2>/dev/null || true
    done
    SCHEDULER=()
}

# A DAG that is no longer paused runs at once for the last night whose time, 01:15, has come.
check_nightly() {
    local night
    night=$(date -u -d '-75 minutes' +%F)
    at_destination dwh -q -c 'TRUNCATE users'
    eventually "the DAG is known to the scheduler" 1 has_dag users_daily
    airflow dags unpause users_daily || true
    eventually "unpaused: the day before last night" "$(date -u -d "$night -1 day" +%F):5" days_of users created_at
    eventually "unpaused: the run succeeds" success state_of users_daily users
}

# Airflow's own backfill: a task a day. Airflow 3 leaves it to the scheduler.
check_airflow_backfill() {
    at_destination dwh -q -c 'TRUNCATE users'
    if ((MAJOR == 2)); then
        airflow dags backfill -s 2018-07-28 -e 2018-07-30T02:00:00 users_daily || true
    else
        airflow backfill create --dag-id users_daily --from-date 2018-07-29 --to-date 2018-07-31T02:00:00 \
            --max-active-runs 2 || true
    fi
    eventually "Airflow's backfill: the days before the runs" "2018-07-28:10 2018-07-29:24 2018-07-30:7" \
        days_of users created_at
}

# What the page does when someone marks a run as failed.
mark_failed() {
    PATH=$VENV/bin:$PATH "$VENV/bin/python" - "$@" >>"$LOG" 2>&1 <<'PYTHON'
import sys
from airflow.api.common.mark_tasks import set_dag_run_state_to_failed
from airflow.models.serialized_dag import SerializedDagModel
dag_id, run_id = sys.argv[1:]
set_dag_run_state_to_failed(dag=SerializedDagModel.get_dag(dag_id), run_id=run_id, commit=True)
PYTHON
}

# start_held DAG RUN: a run of the DAG whose load waits at the destination.
start_held() {
    at_destination dwh -q -c 'TRUNCATE users'
    eventually "$2: the DAG is known to the scheduler" 1 has_dag "$1"
    airflow dags unpause "$1" || true
    hold_inserts
    airflow dags trigger "$1" --run-id "$2" --conf '{"day": "2018-07-29", "job": "users"}' || true
    eventually "$2: the load waits" 1 sessions_of_etl "AND wait_event_type = 'Lock'"
}

# A deferred task has no process. The triggerer sees the mark and cancels the run.
check_mark_failed() {
    start_held users_daily killed
    eventually "marked failed: the task has no process" deferred state_of users_daily users
    eventually "marked failed: the triggerer listens" 1 listeners "AND query LIKE '%copy_incremental_runs%'"
    mark_failed users_daily killed || true
    check_no_load "marked failed"
    release
    check "marked failed: the task is" failed "$(state_of users_daily users)"
    check "marked failed: the ledger says so" "failed 57014" "$(at_destination dwh -c "SELECT concat_ws(' ', status, sqlstate)
        FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 1")"

    start_held users_in_slot killed_in_slot
    mark_failed users_in_slot killed_in_slot || true
    check_no_load "marked failed, in a slot"
    release

    at_destination dwh -q -c "UPDATE pgci_jobs SET first_day = (now() AT TIME ZONE 'UTC')::date - 1 WHERE job = 'users'" \
        -c "SELECT copy_incremental_forget('users', NULL, NULL)" >/dev/null
    start_held users_catch_up killed_catch_up
    mark_failed users_catch_up killed_catch_up || true
    check_no_load "marked failed, catch up"
    release
    at_destination dwh -q -c "UPDATE pgci_jobs SET first_day = '2018-07-01' WHERE job = 'users'"
}

# The triggerer is killed in the middle of a load, and another one takes over: the load is the same.
check_reattach() {
    local run_id before
    before=$(runs)
    start_held users_daily reattached
    eventually "reattached: the task has no process" deferred state_of users_daily users
    run_id=$(at_destination dwh -c "SELECT run_id FROM copy_incremental_runs WHERE status = 'running'")
    kill_triggerer
    eventually "reattached: nobody listens" 0 listeners
    check "reattached: the load goes on" 1 "$(sessions_of_etl "AND wait_event_type = 'Lock'")"
    start_triggerer
    eventually "reattached: the other triggerer listens" 1 listeners "AND query LIKE '%copy_incremental_runs%'"
    release
    eventually "reattached: the task succeeds" success state_of users_daily users
    check "reattached: the run is the same" "$run_id" "$(xcom users_daily users run_id)"
    check "reattached: the rows are the XCom" 24 "$(xcom users_daily users)"
    check "reattached: there was one run" $((before + 1)) "$(runs)"

    # It ends while there is no triggerer.
    before=$(runs)
    start_held users_daily unseen
    eventually "unseen: the task has no process" deferred state_of users_daily users
    kill_triggerer
    release
    eventually "unseen: the load ends" $((before + 1)) runs
    start_triggerer
    eventually "unseen: the task succeeds" success state_of users_daily users
    check "unseen: there was one run" $((before + 1)) "$(runs)"
}

# The sensor waits for a window that somebody else loads.
check_sensor() {
    local dag
    for dag in users_report users_reschedule; do
        at_destination dwh -q -c "TRUNCATE users; SELECT copy_incremental_forget('users', NULL, NULL)" >/dev/null
        eventually "sensor, $dag: the DAG is known to the scheduler" 1 has_dag "$dag"
        airflow dags unpause "$dag" || true
        [[ $dag == users_report ]] || airflow dags trigger "$dag" || true
        eventually "sensor, $dag: it waits" "$([[ $dag == users_report ]] && echo deferred || echo up_for_reschedule)" \
            state_of "$dag" loaded
        at_destination dwh -q -c 'SET ROLE etl' -c "SELECT copy_incremental_run('users', day)
            FROM (SELECT '2018-07-29'::date UNION ALL SELECT (now() AT TIME ZONE 'UTC')::date - n FROM generate_series(1, 2) AS n) AS d(day)" >/dev/null
        eventually "sensor, $dag: it sees the load" success state_of "$dag" loaded
    done
    eventually "sensor: the next task runs" success state_of users_report report
}

# The DAG has at most ten lines, and the pages show the one that ran.
check_fifty_in_doc() {
    local page code
    code=$(sed -n '/^from/,$p' "$CLONE/examples/airflow/fifty_tables.py")
    check "fifty: at most ten lines" yes "$( (($(wc -l <<<"$code") <= 10)) && echo yes)"
    for page in doc/airflow.md airflow/README.md; do
        check "fifty: $page shows it" "$code" "$(sed -n '/^```python$/,/^```$/p' "$CLONE/$page" | sed '1d; /^```$/,$d')"
    done
}

# Fifty jobs are fifty tasks; four workers load them.
check_fifty() {
    local night last list="SELECT 't_' || n AS t FROM generate_series(1, 48) AS n" patience=9000
    night=$(date -u -d '-75 minutes' +%F)
    at_source shop -q <<<"SELECT format('CREATE TABLE %I AS SELECT id, created_at FROM users; GRANT SELECT ON %1\$I TO etl_reader', t) FROM ($list) AS l \gexec"
    at_destination dwh -q <<<"SELECT format('CREATE TABLE %I (LIKE users INCLUDING ALL); GRANT ALL ON %1\$I TO etl', t) FROM ($list) AS l \gexec"
    at_destination dwh -q -c 'SET ROLE etl' -c "SELECT copy_incremental_create_job(t, 'src', 'SELECT * FROM ' || t, window_column => 'created_at',
        first_day => '2018-07-01', time_zone => 'UTC', mode => 'replace') FROM ($list) AS l" >/dev/null
    eventually "fifty: the DAG is known to the scheduler" 1 has_dag fifty_tables
    last=$(at_destination dwh -c 'SELECT max(run_id) FROM copy_incremental_runs')
    airflow dags unpause fifty_tables || true
    eventually "fifty: all tasks succeed" 51 tasks_in fifty_tables success
    check "fifty: the last window of each job is loaded" 50 "$(at_destination dwh -c "SELECT count(*) FROM copy_incremental_jobs
        WHERE covered @> tstzrange('$night 00:00+00'::timestamptz - interval '1 day', '$night 00:00+00')")"
    check "fifty: each by one run" 50 "$(at_destination dwh -c "SELECT count(*) FROM copy_incremental_runs
        WHERE upper(data_interval) = '$night 00:00+00' AND run_id > $last AND job <> 'users' OR run_id = (
            SELECT max(run_id) FROM copy_incremental_runs WHERE job = 'users')")"
    check_fifty_in_doc
    at_destination dwh -q >/dev/null <<<"SELECT format('SELECT copy_incremental_drop_job(%L); DROP TABLE %1\$I', t) FROM ($list) AS l \gexec"
    at_source shop -q <<<"SELECT format('DROP TABLE %I', t) FROM ($list) AS l \gexec"
}
