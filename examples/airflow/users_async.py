"""Runs the job `users` for a day every night, without a worker slot during the load. For Airflow 2 and Airflow 3.

`start` returns immediately, and the load runs in a background worker of the destination server. `wait` is a sensor in
mode reschedule: it checks once a minute and needs no process between the checks. If the load fails, the sensor fails
with the error of the load. To load the day again, clear `start` and `wait`. To stop a load, call
`copy_incremental_cancel(run_id)`; killing the sensor does not stop it.
"""

from datetime import datetime, timedelta

try:
    from airflow.sdk import DAG  # Airflow 3
except ImportError:
    from airflow import DAG

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.common.sql.sensors.sql import SqlSensor
from airflow.timetables.trigger import CronTriggerTimetable


def run_id(cursor):
    return cursor.fetchone()[0]


with DAG(
    "users_async",
    start_date=datetime(2018, 7, 1),
    schedule=CronTriggerTimetable("15 1 * * *", timezone="UTC", interval=timedelta(days=1)),
    catchup=False,
    default_args={"conn_id": "dwh"},
):
    start = SQLExecuteQueryOperator(
        task_id="start",
        autocommit=True,
        retries=3,
        sql="SELECT copy_incremental_start('users', %(day)s)",
        parameters={"day": "{{ data_interval_start | ds }}"},
        handler=run_id,
    )
    wait = SqlSensor(
        task_id="wait",
        mode="reschedule",
        poke_interval=60,
        timeout=2 * 60 * 60,
        sql="SELECT copy_incremental_wait({{ ti.xcom_pull(task_ids='start') }}, '0')",
    )
    start >> wait
