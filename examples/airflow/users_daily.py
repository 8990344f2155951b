"""Loads the job `users` every night. For Airflow 2 and Airflow 3.

The connection `dwh` is the destination database. The job is defined there, see define_jobs.py. The address and the
password of the source are in its foreign server `src` and the user mapping, not in Airflow. The task starts the run and
releases its worker slot; the XCom is the number of rows. To load another day, trigger the DAG with the parameter `day`.
"""

from datetime import datetime, timedelta

try:
    from airflow.sdk import DAG, Param  # Airflow 3
except ImportError:
    from airflow import DAG
    from airflow.models.param import Param

from pg_copy_incremental_airflow import CopyIncrementalOperator

with DAG(
    "users_daily",
    start_date=datetime(2018, 7, 1),
    schedule="15 1 * * *",
    catchup=False,
    max_active_runs=8,  # days that a backfill of Airflow loads at a time
    params={"day": Param(None, type=["null", "string"], description="another day, YYYY-MM-DD")},
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
):
    # The job has mode replace, so retries and repeated runs are harmless.
    CopyIncrementalOperator(
        task_id="users",
        conn_id="dwh",
        job="users",
        data_interval="{{ params.day or '' }}",
        execution_timeout=timedelta(hours=2),
    )
