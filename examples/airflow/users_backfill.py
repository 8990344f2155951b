"""Runs the job `users` for all days from `first_day` to `last_day`, in one call. Trigger it with these parameters.

Both days are included. Background workers of the destination server copy four days at a time, each day in its own
transaction. Days that are loaded are left out, so start the DAG again after a failure. Airflow's own backfill of
users_daily does the same with one task for each day.
"""

from datetime import datetime

try:
    from airflow.sdk import DAG, Param  # Airflow 3
except ImportError:
    from airflow import DAG
    from airflow.models.param import Param

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

with DAG(
    "users_backfill",
    start_date=datetime(2018, 7, 1),
    schedule=None,
    catchup=False,
    params={
        "first_day": Param("2018-07-01", type="string", format="date"),
        "last_day": Param("2018-07-31", type="string", format="date"),
    },
):
    # The procedure commits, so it must be the only statement and run outside a transaction block (autocommit).
    SQLExecuteQueryOperator(
        task_id="users",
        conn_id="dwh",
        autocommit=True,
        sql="CALL copy_incremental_backfill('users', %(first_day)s, %(last_day)s, workers => 4)",
        parameters={"first_day": "{{ params.first_day }}", "last_day": "{{ params.last_day }}"},
        handler=None,
    )
