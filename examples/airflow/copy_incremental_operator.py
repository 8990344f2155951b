"""An operator for many loads, and a DAG that uses it for two tables. For Airflow 2 and Airflow 3.

Keep the class in this file, or in a module that your DAGs can import.
"""

from datetime import datetime, timedelta

try:
    from airflow.sdk import DAG  # Airflow 3
except ImportError:
    from airflow import DAG

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.timetables.trigger import CronTriggerTimetable


class CopyIncrementalOperator(SQLExecuteQueryOperator):
    """Copies the day of the data interval from a foreign server to a table; the XCom is the number of rows.

    :param server: the foreign server in the destination database
    :param query: a SELECT for the source; $1 and $2 are the bounds of the day
    :param target: the table to write
    :param mode: append, skip, upsert or replace; append skips a day that was copied before
    :param replace_where: mode replace: the condition of the rows to delete first, with $1 and $2
    """

    def __init__(
        self,
        *,
        server,
        query,
        target,
        mode="append",
        replace_where=None,
        day="{{ data_interval_start | ds }}",
        batch=2000,
        time_zone="UTC",
        **kwargs,
    ):
        super().__init__(
            sql="""
                SELECT copy_incremental(%(server)s, %(query)s, %(day)s, %(batch)s, target => %(target)s,
                                        mode => %(mode)s, replace_where => %(replace_where)s,
                                        time_zone => %(time_zone)s, on_rerun => %(on_rerun)s)
            """,
            parameters={
                "server": server,
                "query": query,
                "day": day,
                "batch": batch,
                "target": target,
                "mode": mode,
                "replace_where": replace_where,
                "time_zone": time_zone,
                "on_rerun": "skip" if mode == "append" else "error",
            },
            handler=lambda cursor: cursor.fetchone()[0],
            **kwargs,
        )


with DAG(
    "copy_incremental_many",
    start_date=datetime(2018, 7, 1),
    schedule=CronTriggerTimetable("15 1 * * *", timezone="UTC", interval=timedelta(days=1)),
    catchup=False,
    default_args={"retries": 3, "conn_id": "dwh", "server": "src"},
):
    CopyIncrementalOperator(
        task_id="users",
        query="SELECT * FROM users WHERE created_at >= $1 AND created_at < $2",
        target="public.users_appended",
    )
    CopyIncrementalOperator(
        task_id="orders",
        query="SELECT * FROM orders WHERE placed_at >= $1 AND placed_at < $2",
        target="public.orders",
        mode="upsert",
    )
