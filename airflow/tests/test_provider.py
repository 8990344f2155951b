"""The package against a real destination and source. test/airflow/check-airflow starts both and calls it.

AIRFLOW_CONN_DWH is the connection of the role etl, and OWNER a connection string of a superuser of the destination.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date, datetime, timezone
from types import SimpleNamespace
from typing import Any
from unittest import mock

import psycopg2
from airflow import DAG

from pg_copy_incremental_airflow import (
    CopyIncrementalCatchUpOperator,
    CopyIncrementalCreateJobOperator,
    CopyIncrementalJobsOperator,
    CopyIncrementalOperator,
    CopyIncrementalWindowSensor,
    get_provider_info,
    jobs,
    triggers,
)
from pg_copy_incremental_airflow.compat import AirflowException, AirflowSkipException
from pg_copy_incremental_airflow.destination import Destination, Window
from pg_copy_incremental_airflow.interval import Day, EndedWithin, Exactly, requested
from pg_copy_incremental_airflow.lineage import datasets_of
from pg_copy_incremental_airflow.triggers import CopyIncrementalRunTrigger, CopyIncrementalWindowTrigger
from pg_copy_incremental_airflow.watch import RunWatch

DAY = Window("2018-07-29T00:00:00+00:00", "2018-07-30T00:00:00+00:00")
LOG = logging.getLogger(__name__)

triggers.MIN_SECONDS = 0.0


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


class FakeContext(dict[str, Any]):
    """What the operators read of a context."""

    def __init__(self, start: str | None = None, end: str | None = None) -> None:
        self.pushed: dict[str, Any] = {}
        ti = SimpleNamespace(xcom_push=lambda key, value: self.pushed.update({key: value}))
        super().__init__(ti=ti, dag_run=SimpleNamespace(run_after=at("2018-07-30T01:15")))
        if start and end:
            self.update(data_interval_start=at(start), data_interval_end=at(end))


class OwnerTestCase(unittest.TestCase):
    """A test with a superuser at the destination."""

    def setUp(self) -> None:
        self.owner = psycopg2.connect(os.environ["OWNER"])
        self.owner.autocommit = True
        self.addCleanup(self.owner.close)
        self.sql("TRUNCATE users, orders")
        self.sql("SELECT copy_incremental_forget(t, NULL, NULL) FROM unnest('{users,orders}'::regclass[]) AS t")

    def sql(self, text: str) -> Any:
        with self.owner.cursor() as cursor:
            cursor.execute(text)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    def hold(self) -> None:
        """Make the loads wait before their first row, until release()."""
        self.sql(
            "CREATE OR REPLACE FUNCTION test() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS "
            "$$BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN new; END$$"
        )
        self.sql("CREATE TRIGGER test BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION test()")
        self.sql("SELECT pg_advisory_lock(7)")
        self.addCleanup(self.sql, "DROP TRIGGER test ON users")
        self.addCleanup(self.release)

    def release(self) -> None:
        self.sql("SELECT pg_advisory_unlock_all()")

    def runs(self) -> Any:
        return self.sql("SELECT count(*) FROM copy_incremental_runs WHERE status IN ('succeeded', 'running')")


class IntervalTest(unittest.TestCase):
    def test_forms(self) -> None:
        context = FakeContext("2018-07-29T01:15", "2018-07-30T01:15")
        for given, wanted in (
            (None, EndedWithin("2018-07-29T01:15:00+00:00", "2018-07-30T01:15:00+00:00")),
            ("", EndedWithin("2018-07-29T01:15:00+00:00", "2018-07-30T01:15:00+00:00")),
            ("2018-07-29", Day("2018-07-29")),
            (date(2018, 7, 29), Day("2018-07-29")),
            ("2018-07-29T00:00Z/2018-07-29T12:00Z", Exactly("2018-07-29T00:00:00+00:00", "2018-07-29T12:00:00+00:00")),
            (("2018-07-29 00:00", "2018-07-29 12:00"), Exactly("2018-07-29T00:00:00", "2018-07-29T12:00:00")),
            ((at("2018-07-29"), at("2018-07-30")), Exactly("2018-07-29T00:00:00+00:00", "2018-07-30T00:00:00+00:00")),
        ):
            with self.subTest(given=given):
                self.assertEqual(requested(given, context), wanted)

    def test_without_interval(self) -> None:
        moment = "2018-07-30T01:15:00+00:00"
        self.assertEqual(requested(None, FakeContext()), EndedWithin(moment, moment))

    def test_mistakes(self) -> None:
        for given in ("yesterday", "2018-07-29/", ("2018-07-29",), at("2018-07-29")):
            with self.subTest(given=given), self.assertRaises((ValueError, TypeError)):
                requested(given, FakeContext())  # type: ignore[arg-type]


class WindowTest(OwnerTestCase):
    def window(self, size: str, zone: str, request: Any, first_day: str = "2018-07-01") -> str | None:
        CopyIncrementalCreateJobOperator(
            task_id="define",
            conn_id="dwh",
            job="sized",
            source="src",
            query="SELECT * FROM orders",
            options={
                "target": "public.orders",
                "window_column": "placed_at",
                "mode": "upsert",
                "first_day": first_day,
                "time_zone": zone,
                "window_size": size,
            },
        ).execute({})
        try:
            with Destination("dwh") as destination:
                window = destination.window("sized", request)
        finally:
            self.sql("SELECT copy_incremental_drop_job('sized')")
        if window is None:
            return None
        return " ".join(
            datetime.fromisoformat(t).astimezone(timezone.utc).strftime("%m-%dT%H:%M")
            for t in (window.start, window.end)
        )

    def test_windows_of_intervals(self) -> None:
        def ended(start: str, end: str) -> EndedWithin:
            return EndedWithin(f"2018-{start}:00+00:00", f"2018-{end}:00+00:00")

        for name, size, zone, request, wanted in (
            ("midnight to midnight", "1 day", "UTC", ended("07-29T00:00", "07-30T00:00"), "07-29T00:00 07-30T00:00"),
            ("a cron of Airflow 2", "1 day", "UTC", ended("07-29T01:15", "07-30T01:15"), "07-29T00:00 07-30T00:00"),
            ("a cron of Airflow 3", "1 day", "UTC", ended("07-30T01:15", "07-30T01:15"), "07-29T00:00 07-30T00:00"),
            ("at midnight", "1 day", "UTC", ended("07-30T00:00", "07-30T00:00"), "07-29T00:00 07-30T00:00"),
            (
                "another zone",
                "1 day",
                "America/New_York",
                ended("07-30T01:15", "07-30T01:15"),
                "07-28T04:00 07-29T04:00",
            ),
            (
                "a day of 23 hours",
                "1 day",
                "America/New_York",
                ended("03-12T05:00", "03-12T05:00"),
                "03-11T05:00 03-12T04:00",
            ),
            ("hours in a day", "1 hour", "UTC", ended("07-29T00:00", "07-30T00:00"), "07-29T00:00 07-30T00:00"),
            ("the last hour", "1 hour", "UTC", ended("07-30T01:15", "07-30T01:15"), "07-30T00:00 07-30T01:00"),
            ("an hour without the end of a day", "1 day", "UTC", ended("07-29T01:00", "07-29T02:00"), None),
            ("a week", "7 days", "UTC", ended("07-08T01:15", "07-08T01:15"), "07-01T00:00 07-08T00:00"),
            ("before the first day", "1 day", "UTC", ended("06-20T00:00", "06-21T00:00"), "06-20T00:00 06-21T00:00"),
            ("a month", "1 month", "UTC", ended("12-01T02:00", "12-01T02:00"), "11-01T00:00 12-01T00:00"),
            ("a day", "1 day", "America/New_York", Day("2018-07-29"), "07-29T04:00 07-30T04:00"),
            ("a day of hours", "6 hours", "UTC", Day("2018-07-29"), "07-29T00:00 07-30T00:00"),
            ("a day of a week", "7 days", "UTC", Day("2018-07-03"), "07-01T00:00 07-08T00:00"),
            (
                "times of the zone",
                "1 day",
                "America/New_York",
                Exactly("2018-07-29T00:00:00", "2018-07-29T12:00:00"),
                "07-29T04:00 07-29T16:00",
            ),
        ):
            with self.subTest(name):
                self.assertEqual(self.window(size, zone, request), wanted)

    def test_months_of_many_years(self) -> None:
        request = EndedWithin("2018-07-30T00:00:00+00:00", "2018-07-30T00:00:00+00:00")
        self.assertEqual(self.window("1 month", "UTC", request, "1990-01-01"), "06-01T00:00 07-01T00:00")

    def test_no_such_job(self) -> None:
        with Destination("dwh") as destination, self.assertRaisesRegex(AirflowException, '"none" does not exist'):
            destination.window("none", Day("2018-07-29"))


class OperatorTest(OwnerTestCase):
    def operator(self, **arguments: Any) -> CopyIncrementalOperator:
        return CopyIncrementalOperator(
            task_id="users", conn_id="dwh", job="users", **{"deferrable": False, "poll_interval": 1, **arguments}
        )

    def test_waits(self) -> None:
        context = FakeContext("2018-07-30T01:15", "2018-07-30T01:15")
        self.assertEqual(self.operator().execute(context), 24)
        self.assertEqual(context.pushed, {"run_id": self.sql("SELECT max(run_id) FROM copy_incremental_runs")})

    def test_no_window(self) -> None:
        with self.assertRaises(AirflowSkipException):
            self.operator().execute(FakeContext("2018-07-29T01:00", "2018-07-29T02:00"))

    def test_error(self) -> None:
        self.sql(
            "CREATE OR REPLACE FUNCTION test() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no row today' "
            "USING DETAIL = 'It is Sunday.', HINT = 'Come again.', ERRCODE = 'P0042'; END$$"
        )
        self.sql("CREATE TRIGGER test BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION test()")
        self.addCleanup(self.sql, "DROP TRIGGER test ON users")
        with self.assertRaisesRegex(
            AirflowException, "no row today\nDETAIL: It is Sunday.\nHINT: Come again.\nSQLSTATE: P0042"
        ):
            self.operator(data_interval="2018-07-29").execute(FakeContext())

    def test_lineage(self) -> None:
        self.operator(data_interval="2018-07-29").execute(FakeContext())
        inputs, outputs = datasets_of("dwh", ["users"])
        self.assertRegex(str(inputs), r"^\[\('postgres://127.0.0.1:\d+', 'shop.public.users'\)\]$")
        self.assertRegex(str(outputs), r"^\[\('postgres://127.0.0.1:\d+', 'dwh.public.users'\)\]$")
        lineage = self.operator(data_interval="2018-07-29").get_openlineage_facets_on_complete(None)
        self.assertEqual([d.name for d in lineage.inputs + lineage.outputs], ["shop.public.users", "dwh.public.users"])

    def test_attaches(self) -> None:
        self.hold()
        with Destination("dwh") as destination:
            run_id = destination.start("users", DAY)
            watch = RunWatch("dwh", 1, LOG, "users", DAY)
            with closing(watch):
                self.assertIsNone(watch.step())
                self.assertEqual((watch.run_id, watch.attached), (run_id, True))
                self.assertIsNone(watch.step())
                self.assertEqual(
                    self.runs(),
                    self.sql(
                        f"SELECT count(*) FROM copy_incremental_runs WHERE status = 'succeeded' OR run_id = {run_id}"
                    ),
                )
                # The other run fails; the watch starts its own.
                destination.cancel(run_id)
                while watch.run_id == run_id:
                    watch.step()
                self.release()
                while (found := watch.step()) is None:
                    pass
        self.assertEqual((found["status"], found["rows"]), ("succeeded", 24))

    def test_finds_its_run_by_since(self) -> None:
        with Destination("dwh") as destination:
            since = destination.now()
            run_id = destination.start("users", DAY)
            destination.rows(f"SELECT copy_incremental_wait({run_id})")
            with closing(RunWatch("dwh", 1, LOG, "users", DAY, since)) as watch:
                while (found := watch.step()) is None:
                    pass
        self.assertEqual((found["run_id"], found["rows"]), (run_id, 24))

    def test_templates(self) -> None:
        self.assertEqual(CopyIncrementalOperator.template_fields, ("job", "data_interval", "conn_id"))
        text = "$1 {} {day} %s"
        operator = self.operator(data_interval=text)
        operator.render_template_fields({"params": {}})
        self.assertEqual(operator.data_interval, text)
        for query in (
            "SELECT * FROM orders WHERE placed_at >= $1 AND placed_at < $2",
            "SELECT * FROM orders WHERE placed_at::date = date '{}' AND id::text ~ '^[0-9]{{1,4}}$' AND id % 1 = 0",
        ):
            define = CopyIncrementalCreateJobOperator(
                task_id="define",
                conn_id="dwh",
                job="templated",
                source="src",
                query=query,
                options={"target": "public.orders", "mode": "upsert", "first_day": "2018-07-01", "time_zone": "UTC"},
            )
            define.render_template_fields({"params": {}})
            define.execute({})
            self.assertEqual(self.sql("SELECT query_template FROM pgci_jobs WHERE job = 'templated'"), query)
        self.assertEqual(
            CopyIncrementalOperator(
                task_id="t", conn_id="dwh", job="templated", deferrable=False, data_interval="2018-07-29"
            ).execute(FakeContext()),
            24,
        )
        self.sql("SELECT copy_incremental_drop_job('templated')")


class CatchUpTest(OwnerTestCase):
    def define(self, job: str, table: str, day_column: str, **options: Any) -> None:
        CopyIncrementalCreateJobOperator(
            task_id="define",
            conn_id="dwh",
            job=job,
            source="src",
            query=f"SELECT * FROM {table}",
            options={
                "target": f"public.{table}",
                "window_column": day_column,
                "first_day": self.sql("SELECT (now() AT TIME ZONE 'UTC')::date - 2"),
                "time_zone": "UTC",
                "mode": "replace",
                **options,
            },
        ).execute({})
        self.addCleanup(self.sql, f"SELECT copy_incremental_drop_job('{job}')")

    def define_group(self) -> None:
        """Define a group of two jobs, and a job of the same role that is not in it. Two days of each are missing."""
        for job, table, day_column in (("g_users", "users", "created_at"), ("g_orders", "orders", "placed_at")):
            self.define(job, table, day_column, job_group="shop")
        self.define("lone", "orders", "placed_at")

    @staticmethod
    def operator(**arguments: Any) -> CopyIncrementalCatchUpOperator:
        return CopyIncrementalCatchUpOperator(task_id="all", conn_id="dwh", **arguments)

    def test_one_job(self) -> None:
        self.define("one", "users", "created_at")
        operator = self.operator(job="one", workers="2")
        self.assertEqual(operator.execute({}), {"windows": 2, "rows": 10})
        self.assertEqual(operator.execute({}), {"windows": 0, "rows": 0})

    def test_error(self) -> None:
        with self.assertRaisesRegex(Exception, 'job "none" does not exist'):
            self.operator(job="none").execute({})
        with self.assertRaisesRegex(Exception, 'job group "none" does not exist'):
            self.operator(job_group="none").execute({})

    def test_job_group(self) -> None:
        """The runs of other jobs that the user makes meanwhile are not counted."""
        self.define_group()
        self.hold()
        operator = self.operator(job_group="shop", workers="2")
        has_ended = threading.Event()

        def run_another() -> None:
            while not self.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
                self.assertFalse(has_ended.wait(0.1))
            with Destination("dwh") as destination:
                destination.rows("SELECT copy_incremental_run('lone', '2018-07-29')")
            self.release()

        # Airflow 2 allows execute() in the main thread only.
        with ThreadPoolExecutor() as pool:
            another = pool.submit(run_another)
            try:
                self.assertEqual(operator.execute({}), {"windows": 4, "rows": 10})
            finally:
                has_ended.set()
            another.result()
        self.assertEqual(
            self.sql("SELECT count(DISTINCT source_snapshot) FROM copy_incremental_runs WHERE job LIKE 'g\\_%'"), 1
        )
        lineage = operator.get_openlineage_facets_on_complete(None)
        self.assertEqual(
            [d.name for d in lineage.inputs + lineage.outputs],
            ["shop.public.orders", "shop.public.users", "dwh.public.orders", "dwh.public.users"],
        )

    def test_atomic(self) -> None:
        transactions = "SELECT count(DISTINCT xmin::text) FROM pgci_runs WHERE status = 'succeeded'"
        for atomic, wanted in ((True, 2), ("True", 2), (False, 4), ("False", 4), ("", 4), (None, 4)):
            with self.subTest(atomic=atomic):
                self.define_group()
                before = self.sql(transactions)
                self.assertEqual(self.operator(job_group="shop", atomic=atomic).execute({}), {"windows": 4, "rows": 10})
                self.assertEqual(self.sql(transactions), before + wanted)
                self.doCleanups()
                self.setUp()

    def test_combinations(self) -> None:
        """What cannot be combined is refused when the DAG is parsed; if a template hides it, by the server."""
        group = "job and job_group cannot be used together"
        atomic = "atomic has no meaning for one job"
        for arguments, message in (
            ({"job": "users", "job_group": "shop"}, group),
            ({"job": "users", "atomic": True}, atomic),
        ):
            with self.subTest(arguments), self.assertRaisesRegex(ValueError, message):
                self.operator(**arguments)
        for arguments, message in (
            ({"job": "{{ params.job }}", "job_group": "shop"}, group),
            ({"job": "users", "job_group": "{{ params.job }}"}, group),
            ({"job": "users", "atomic": "{{ params.atomic }}"}, atomic),
        ):
            with self.subTest(arguments):
                operator = self.operator(**arguments)
                operator.render_template_fields({"params": {"job": "users", "atomic": True}})
                with self.assertRaisesRegex(Exception, message):
                    operator.execute({})

    def test_templates(self) -> None:
        self.assertEqual(
            CopyIncrementalCatchUpOperator.template_fields, ("job", "job_group", "atomic", "workers", "conn_id")
        )
        self.define_group()
        operator = self.operator(
            job="{{ params.job or '' }}", job_group="{{ params.job_group or '' }}", atomic="{{ params.atomic }}"
        )
        operator.render_template_fields({"params": {"job": None, "job_group": "shop", "atomic": True}})
        self.assertEqual(operator.execute({}), {"windows": 4, "rows": 10})

    def test_jobs_of_group(self) -> None:
        self.define_group()
        with DAG("mapped", schedule=None):
            names = jobs("dwh", job_group="shop")
        self.assertEqual(names.operator.execute({}), ["g_orders", "g_users"])
        self.assertEqual(
            CopyIncrementalJobsOperator(task_id="all", conn_id="dwh").execute({}),
            ["g_orders", "g_users", "lone", "orders", "users"],
        )
        with self.assertRaisesRegex(AirflowException, 'job group "none" does not exist'):
            CopyIncrementalJobsOperator(task_id="none", conn_id="dwh", job_group="none").execute({})


class TriggerTest(OwnerTestCase):
    def trigger(self, **arguments: Any) -> CopyIncrementalRunTrigger:
        return CopyIncrementalRunTrigger(
            **{"conn_id": "dwh", "poll_interval": 1000, "job": "users", "start": DAY.start, "end": DAY.end, **arguments}
        )

    @staticmethod
    async def event_of(trigger: Any) -> Any:
        async for event in trigger.run():
            return event.payload
        return None

    async def start(self, trigger: CopyIncrementalRunTrigger) -> asyncio.Future[Any]:
        """Return the trigger's event to come, once its run has begun."""
        event = asyncio.ensure_future(self.event_of(trigger))
        while not self.sql("SELECT count(*) FROM copy_incremental_progress"):
            await asyncio.sleep(0.1)
        return event

    def assert_cancelled(self, trigger: CopyIncrementalRunTrigger) -> None:
        with Destination("dwh") as destination:
            while not (run := destination.look(trigger.watch().run_id or 0)).has_ended:
                pass
        self.assertEqual((run.status, run.sqlstate), ("failed", "57014"))

    def test_serialized(self) -> None:
        path, arguments = self.trigger(since=DAY.end, run_id=17, give_up_at=DAY.end).serialize()
        self.assertEqual(path, "pg_copy_incremental_airflow.triggers.CopyIncrementalRunTrigger")
        self.assertEqual(CopyIncrementalRunTrigger(**arguments).serialize(), (path, arguments))

    def test_hears_the_end(self) -> None:
        """With a poll_interval of 1000 s, only the notification can end it."""
        self.hold()

        async def main() -> Any:
            task = asyncio.ensure_future(self.event_of(self.trigger()))
            while not self.sql("SELECT count(*) FROM copy_incremental_progress") or not self.sql(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE usename = 'etl' AND state = 'idle' AND backend_type = 'client backend'"
            ):
                await asyncio.sleep(0.1)
            await asyncio.sleep(1)
            self.release()
            return await asyncio.wait_for(task, 300)

        event = asyncio.run(main())
        self.assertEqual((event["status"], event["rows"]), ("succeeded", 24))

    def test_lost_connection(self) -> None:
        self.hold()

        async def main() -> Any:
            task = asyncio.ensure_future(self.event_of(self.trigger(poll_interval=1)))
            for _ in range(3):
                while not self.sql(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'etl' "
                    "AND backend_type = 'client backend' AND state = 'idle' AND query LIKE '%copy_incremental_runs%'"
                ):
                    await asyncio.sleep(0.1)
                await asyncio.sleep(0.5)
            self.release()
            return await task

        before = self.runs()
        self.assertEqual(asyncio.run(main())["status"], "succeeded")
        self.assertEqual(self.runs(), before + 1)

    def test_killed(self) -> None:
        self.hold()
        trigger = self.trigger()

        async def main() -> None:
            task = await self.start(trigger)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            await trigger.on_kill()

        asyncio.run(main())
        self.assert_cancelled(trigger)

    def test_cancelled_twice(self) -> None:
        """Before Airflow 3.3, a triggerer may cancel again while the trigger finds out that its task was killed."""
        self.hold()
        trigger = self.trigger()

        async def main() -> None:
            task = await self.start(trigger)
            task.cancel()
            await asyncio.sleep(0.2)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            await asyncio.sleep(2)

        with (
            mock.patch.object(triggers, "_AIRFLOW_CALLS_ON_KILL", False),
            mock.patch.object(trigger, "_task_state", lambda: time.sleep(1) or "failed"),
        ):
            asyncio.run(main())
        self.release()
        self.assert_cancelled(trigger)

    def test_crashed(self) -> None:
        self.hold()

        async def main() -> Any:
            task = await self.start(self.trigger(poll_interval=1))
            self.sql("SELECT pg_terminate_backend(pid) FROM copy_incremental_progress")
            return await task

        self.assertEqual(asyncio.run(main())["status"], "crashed")

    def test_gives_up(self) -> None:
        self.hold()
        trigger = self.trigger(poll_interval=1, give_up_at=DAY.end)
        self.assertEqual(asyncio.run(self.event_of(trigger)), {"status": "timeout"})
        self.assert_cancelled(trigger)

    def test_error(self) -> None:
        event = asyncio.run(self.event_of(self.trigger(job="none")))
        self.assertEqual(event["status"], "error")
        self.assertIn('job "none" does not exist', event["message"])

    def test_coverage(self) -> None:
        sensor = CopyIncrementalWindowSensor(task_id="s", conn_id="dwh", job="users", data_interval="2018-07-29")
        self.assertFalse(sensor.poke(FakeContext()))

        async def main() -> Any:
            trigger = CopyIncrementalWindowTrigger("dwh", 1000, "users", DAY.start, DAY.end)
            task = asyncio.ensure_future(self.event_of(trigger))
            await asyncio.sleep(2)
            with Destination("dwh") as destination:
                destination.start("users", DAY)
            return await asyncio.wait_for(task, 300)

        self.assertEqual(asyncio.run(main()), {"status": "covered"})
        self.assertTrue(sensor.poke(FakeContext()))


class ProviderTest(unittest.TestCase):
    def test_airflow_knows_the_provider(self) -> None:
        from airflow.providers_manager import ProvidersManager

        self.assertIn(get_provider_info()["package-name"], ProvidersManager().providers)


if __name__ == "__main__":
    unittest.main()
