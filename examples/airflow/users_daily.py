"""The users of a day, every night, in one SQL call. The same file is right on Airflow 2 and on Airflow 3.

The connection `dwh` is the destination database; the source's address and password are in its foreign server `src`,
so no secret of the source is in Airflow. The number of rows is the task's XCom.

The interval of one day is said explicitly: a plain cron string means a day on Airflow 2, but an interval without any
length on Airflow 3, whose `{{ ds }}` is the day of the run and not the day before. To copy another day by hand, trigger
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
    max_active_runs=8,  # so many days at once in a backfill; different days never wait for each other
    params={"day": Param(None, type=["null", "string"], description="another day, YYYY-MM-DD")},
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
):
    # Mode replace makes every retry and every second run harmless.
    SQLExecuteQueryOperator(
        task_id="users",
        conn_id="dwh",
        # A bound that the server holds: on Airflow 2 execution_timeout does not interrupt a call that waits.
        hook_params={"options": "-c statement_timeout=2h"},
        sql="""
            SELECT copy_incremental('src', 'SELECT * FROM users WHERE created_at >= $1 AND created_at < $2',
                                    %(day)s, 2000, target => 'public.users', mode => 'replace',
                                    replace_where => 'created_at >= $1 AND created_at < $2', time_zone => 'UTC')
        """,
        parameters={"day": "{{ params.day or (data_interval_start | ds) }}"},
        handler=rows_copied,
    )
