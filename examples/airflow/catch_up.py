"""Loads every day that is due and missing, of all jobs of the role, in one call. For Airflow 2 and Airflow 3.

Background workers of the destination server load four windows at a time, each in its own transaction. A day or a job
that fails stops no other; the call ends in an error that names them, and the task's retry loads what is missing. The
jobs of a group are read in one snapshot of their source. To catch up with one job or with one group, trigger the DAG
with the parameter `job` or `job_group`; with `atomic`, a day of all tables of a group is one transaction.
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
    params={
        "job": Param(None, type=["null", "string"], description="one job instead of all"),
        "job_group": Param(None, type=["null", "string"], description="one job group instead of all jobs"),
        "atomic": Param(False, type="boolean", description="load a day of all tables of a group in one transaction"),
    },
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
):
    CopyIncrementalCatchUpOperator(
        task_id="all_jobs",
        conn_id="dwh",
        job="{{ params.job or '' }}",
        job_group="{{ params.job_group or '' }}",
        atomic="{{ params.atomic }}",
        workers=4,
    )
