"""DAGs that only check-airflow runs."""

from datetime import datetime, timedelta

from airflow import DAG
from airflow.timetables.trigger import CronTriggerTimetable
from pg_copy_incremental_airflow import (
    CopyIncrementalCatchUpOperator,
    CopyIncrementalOperator,
    CopyIncrementalWindowSensor,
)

FIRST = datetime(2018, 7, 1)
USERS = {"conn_id": "dwh", "job": "users"}

with DAG("users_in_slot", start_date=FIRST, schedule=None, catchup=False):
    CopyIncrementalOperator(task_id="users", data_interval="2018-07-29", deferrable=False, poll_interval=1, **USERS)

with DAG("users_catch_up", start_date=FIRST, schedule=None, catchup=False):
    CopyIncrementalCatchUpOperator(task_id="users", **USERS)

for name, deferrable in (("users_timed", True), ("users_in_slot_timed", False)):
    with DAG(name, start_date=FIRST, schedule=None, catchup=False):
        CopyIncrementalOperator(
            task_id="users",
            data_interval="2018-07-29",
            deferrable=deferrable,
            poll_interval=1,
            execution_timeout=timedelta(seconds=20),
            **USERS,
        )

# On Airflow 2 and 3: a data interval without length.
with DAG("users_cron", start_date=FIRST, schedule=CronTriggerTimetable("15 1 * * *", timezone="UTC"), catchup=False):
    CopyIncrementalOperator(task_id="users", **USERS)

# A scheduler that has not yet heard that the task was rescheduled, but finds it queued again, takes it for killed. So the
# interval is longer than a loop of a slow scheduler.
with DAG("users_reschedule", start_date=FIRST, schedule=None, catchup=False):
    CopyIncrementalWindowSensor(
        task_id="loaded", data_interval="2018-07-29", deferrable=False, mode="reschedule", poke_interval=30, **USERS
    )
