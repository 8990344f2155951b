"""Waits every night until the job `users` has loaded the day before, whoever loads it. For Airflow 2 and Airflow 3."""

from datetime import datetime

try:
    from airflow.sdk import DAG  # Airflow 3
except ImportError:
    from airflow import DAG

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from pg_copy_incremental_airflow import CopyIncrementalWindowSensor

with DAG("users_report", start_date=datetime(2018, 7, 1), schedule="0 2 * * *", catchup=False):
    loaded = CopyIncrementalWindowSensor(task_id="loaded", conn_id="dwh", job="users", timeout=6 * 60 * 60)
    report = SQLExecuteQueryOperator(task_id="report", conn_id="dwh", sql="SELECT count(*) FROM users")
    loaded >> report
