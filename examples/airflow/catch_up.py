"""Loads every day that is due and missing, of all jobs of the role, in one call. For Airflow 2 and Airflow 3.

Background workers of the destination server load four windows at a time, each in its own transaction. A day or a job
that fails stops no other; the call ends in an error that names them, and the task's retry loads what is missing. To
catch up with one job, trigger the DAG with the parameter `job`.
"""

from datetime import datetime, timedelta

try:
    from airflow.sdk import DAG, Param  # Airflow 3
except ImportError:
    from airflow import DAG
    from airflow.models.param import Param

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

with DAG(
    "catch_up",
    start_date=datetime(2018, 7, 1),
    schedule="15 1 * * *",
    catchup=False,
    max_active_runs=1,
    params={"job": Param(None, type=["null", "string"], description="one job instead of all")},
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
):
    # The procedure commits, so it must be the only statement and run outside a transaction block (autocommit).
    SQLExecuteQueryOperator(
        task_id="all_jobs",
        conn_id="dwh",
        autocommit=True,
        sql="CALL copy_incremental_catch_up(nullif(%(job)s, ''), workers => 4)",
        parameters={"job": "{{ params.job or '' }}"},
        handler=None,
    )
