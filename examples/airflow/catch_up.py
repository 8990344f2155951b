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

from pg_copy_incremental_airflow import CopyIncrementalCatchUpOperator

with DAG(
    "catch_up",
    start_date=datetime(2018, 7, 1),
    schedule="15 1 * * *",
    catchup=False,
    max_active_runs=1,
    params={"job": Param(None, type=["null", "string"], description="one job instead of all")},
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
):
    CopyIncrementalCatchUpOperator(task_id="all_jobs", conn_id="dwh", job="{{ params.job or '' }}", workers=4)
