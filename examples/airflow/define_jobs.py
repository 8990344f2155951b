"""Defines the jobs that the other DAGs run. For Airflow 2 and Airflow 3.

Trigger it once, and again after each change of the list: with or_replace => true it can be repeated, and a job keeps
its record of loaded windows. create_job connects to the source and checks the query, the columns and the privileges,
so the task fails if a job could not run. The jobs belong to the role of the connection `dwh`.
"""

from datetime import datetime

try:
    from airflow.sdk import DAG  # Airflow 3
except ImportError:
    from airflow import DAG

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

with DAG("define_jobs", start_date=datetime(2018, 7, 1), schedule=None, catchup=False):
    SQLExecuteQueryOperator(
        task_id="define",
        conn_id="dwh",
        autocommit=True,
        sql="""
            SELECT copy_incremental_create_job(job, 'src', query, target => 'public.' || job, mode => mode,
                                               window_column => day_column, first_day => '2018-07-01',
                                               time_zone => 'UTC', or_replace => true)
              FROM (VALUES ('users', 'SELECT * FROM users', 'created_at', 'replace'),
                           ('orders', 'SELECT * FROM orders', 'placed_at', 'upsert'))
                   AS list (job, query, day_column, mode)
        """,
        handler=None,
    )
