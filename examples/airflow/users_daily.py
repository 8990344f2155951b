"""Runs the job `users` for a day every night, in one SQL call. For Airflow 2 and Airflow 3.

The connection `dwh` is the destination database. The job is defined there, see define_jobs.py. The address and the
password of the source are in its foreign server `src` and the user mapping, not in Airflow. The XCom of the task is the
number of rows.

The interval of one day is set explicitly. A cron string means an interval of one day on Airflow 2, but an interval
without length on Airflow 3, where `{{ ds }}` is the day of the run and not the day before. To copy another day, trigger
the DAG with the parameter `day`.
"""

from datetime import datetime, timedelta

try:
    from airflow.sdk import DAG, Param  # Airflow 3
except ImportError:
    from airflow import DAG
    from airflow.models.param import Param

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.timetables.trigger import CronTriggerTimetable


def rows_copied(cursor):
    return cursor.fetchone()[0]


with DAG(
    "users_daily",
    start_date=datetime(2018, 7, 1),
    schedule=CronTriggerTimetable("15 1 * * *", timezone="UTC", interval=timedelta(days=1)),
    catchup=False,
    max_active_runs=8,  # days that a backfill copies at a time; runs of different days do not wait for each other
    params={"day": Param(None, type=["null", "string"], description="another day, YYYY-MM-DD")},
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
):
    # The job has mode replace, so retries and repeated runs are harmless.
    SQLExecuteQueryOperator(
        task_id="users",
        conn_id="dwh",
        # The server enforces this timeout. On Airflow 2, execution_timeout does not interrupt a call.
        hook_params={"options": "-c statement_timeout=2h"},
        sql="SELECT copy_incremental_run('users', %(day)s)",
        parameters={"day": "{{ params.day or (data_interval_start | ds) }}"},
        handler=rows_copied,
    )
