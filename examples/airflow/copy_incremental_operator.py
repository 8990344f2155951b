"""An operator for teams with many such tasks, and a DAG that uses it for two tables.

Keep the class where your DAGs can import it, or in this file. Airflow 2 and Airflow 3.
"""

from datetime import datetime, timedelta

try:
    from airflow.sdk import DAG  # Airflow 3
except ImportError:
    from airflow import DAG

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.timetables.trigger import CronTriggerTimetable


class CopyIncrementalOperator(SQLExecuteQueryOperator):
    """Copies the day of the data interval from a foreign server into a target; the XCom is the number of rows.

    :param server: the foreign server of the destination database that names the source
    :param query: a SELECT for the source, with the day as $1 and $2
    :param target: the table to write
    :param mode: append, skip, upsert or replace; append leaves a day out that was copied before
    :param replace_where: mode replace: the target's slice, with the day as $1 and $2
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
