"""Defines the jobs that the other DAGs run. For Airflow 2 and Airflow 3.

Trigger it once, and again after each change of the list: a job keeps its record of loaded windows. The definition
connects to the source and checks the query, the columns and the privileges, so the task fails if a job could not run.
The jobs belong to the role of the connection `dwh`.
"""

from datetime import datetime

try:
    from airflow.sdk import DAG  # Airflow 3
except ImportError:
    from airflow import DAG

from pg_copy_incremental_airflow import CopyIncrementalCreateJobOperator

JOBS = [("users", "created_at", "replace"), ("orders", "placed_at", "upsert")]

with DAG("define_jobs", start_date=datetime(2018, 7, 1), schedule=None, catchup=False):
    for job, day_column, mode in JOBS:
        CopyIncrementalCreateJobOperator(
            task_id=job,
            conn_id="dwh",
            job=job,
            source="src",
            query=f"SELECT * FROM {job}",
            options={
                "target": f"public.{job}",
                "mode": mode,
                "window_column": day_column,
                "first_day": "2018-07-01",
                "time_zone": "UTC",
            },
        )
