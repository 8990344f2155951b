"""Loads, every night, the last window of each job that the user of the connection has: fifty jobs are fifty tasks.

Each task has its own log, retries and XCom, and no worker slot during its load. A job that is added to the database
is one more task from the next night on. For Airflow 2 and Airflow 3.
"""

from datetime import datetime

from airflow import DAG
from pg_copy_incremental_airflow import CopyIncrementalOperator, jobs

with DAG("fifty_tables", start_date=datetime(2018, 7, 1), schedule="15 1 * * *", catchup=False):
    CopyIncrementalOperator.partial(task_id="load", conn_id="dwh", retries=3).expand(job=jobs("dwh"))
