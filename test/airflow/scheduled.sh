# shellcheck shell=bash
# What a running scheduler does with the DAGs: sourced by check-airflow, not run.

SCHEDULER=() # the process groups of a running Airflow

start_scheduler() {
    local port process programs=(scheduler)
    export AIRFLOW__CORE__KILLED_TASK_CLEANUP_TIME=5
    if ((MAJOR > 2)); then
        port=$(free_port)
        export AIRFLOW__API__PORT=$port AIRFLOW__CORE__EXECUTION_API_SERVER_URL=http://127.0.0.1:$port/execution/
        export AIRFLOW__API_AUTH__JWT_SECRET=not-a-secret AIRFLOW__API__HOST=127.0.0.1 AIRFLOW__API__WORKERS=1
        programs+=(api-server dag-processor)
    fi
    for process in "${programs[@]}"; do
        PATH=$VENV/bin:$PATH setsid "$VENV/bin/airflow" "$process" >>"$WORK/airflow-$MAJOR-$process.log" 2>&1 &
        SCHEDULER+=($!)
    done
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
        airflow dags backfill -s 2018-07-29 -e 2018-07-31T02:00:00 users_daily || true
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

# The task's supervisor sees the mark, sends SIGTERM, which these tasks do not hear, and after a while SIGKILL.
check_mark_failed() {
    at_destination dwh -q -c 'TRUNCATE users'
    hold_inserts
    airflow dags trigger users_daily --run-id killed --conf '{"day": "2018-07-29"}' || true
    eventually "marked failed: the load waits" 1 sessions_of_etl "AND wait_event_type = 'Lock'"
    mark_failed users_daily killed || true
    check_no_load "marked failed"
    release
    check "marked failed: the task is" failed "$(state_of users_daily users)"
}
