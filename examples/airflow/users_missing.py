"""Loads each missing day of the last week in a task of its own, four at a time. For Airflow 2 and Airflow 3.

copy_incremental_missing() returns the missing days of the job `users`, and Airflow maps a task over them, so each day
has its own log and its own retries. If no day is missing, nothing runs. `catch_up` does the same in one task.
"""

from datetime import datetime, timedelta

try:
    from airflow.sdk import DAG  # Airflow 3
except ImportError:
    from airflow import DAG

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.timetables.trigger import CronTriggerTimetable
from pg_copy_incremental_airflow import CopyIncrementalOperator


def days(cursor):
    return [str(day) for (day,) in cursor]


with DAG(
    "users_missing",
    start_date=datetime(2018, 7, 1),
    schedule=CronTriggerTimetable("40 3 * * *", timezone="UTC", interval=timedelta(days=1)),
    catchup=False,
    default_args={"conn_id": "dwh", "retries": 3, "retry_delay": timedelta(minutes=5)},
):
    missing = SQLExecuteQueryOperator(
        task_id="missing",
        sql="SELECT day FROM copy_incremental_missing('users', %(last)s::date - 6, %(last)s::date)",
        parameters={"last": "{{ data_interval_start | ds }}"},
        handler=days,
    )
    CopyIncrementalOperator.partial(task_id="users", job="users", max_active_tis_per_dag=4).expand(
        data_interval=missing.output
    )
