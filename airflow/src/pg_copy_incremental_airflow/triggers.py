"""The triggers: they hold one connection that listens, and no slot of a worker."""

from __future__ import annotations

import asyncio
import random
import time
from abc import abstractmethod
from collections.abc import AsyncIterator
from datetime import datetime, timezone
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from pg_copy_incremental_airflow.destination import Window
from pg_copy_incremental_airflow.watch import CoverageWatch, RunWatch, Watch

# A trigger sends no event earlier. A scheduler that has not yet heard that the task was deferred, but finds it queued
# again, takes it for killed.
MIN_SECONDS = 5.0

# Airflow 3.3 and later call on_kill() of a trigger; before, a trigger has to find out why it was cancelled.
_AIRFLOW_CALLS_ON_KILL = hasattr(BaseTrigger, "on_kill")


class _WatchTrigger(BaseTrigger):
    """Waits as a watch says."""

    def __init__(self, conn_id: str, poll_interval: float, job: str, start: str, end: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.conn_id = conn_id
        self.poll_interval = poll_interval
        self.job = job
        self.window = Window(start, end)
        self._step: asyncio.Future[dict[str, Any] | None] | None = None
        self._ending: asyncio.Future[None] | None = None

    @abstractmethod
    def watch(self) -> Watch:
        """Return what to wait for; the same object each time."""

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that all triggers have."""
        return {
            "conn_id": self.conn_id,
            "poll_interval": self.poll_interval,
            "job": self.job,
            "start": self.window.start,
            "end": self.window.end,
        }

    def deadline(self) -> datetime | None:
        """Return when to give up."""
        return None

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Send one event: the result of the watch, a timeout or an error."""
        earliest = time.monotonic() + MIN_SECONDS
        watch = self.watch()
        try:
            found = await self._result(watch)
            await asyncio.sleep(earliest - time.monotonic())
            yield TriggerEvent(found)  # type: ignore[no-untyped-call]
        except asyncio.CancelledError:
            if not _AIRFLOW_CALLS_ON_KILL:
                # The triggerer may cancel again meanwhile. That must not interrupt a question to it: on Airflow 3, the
                # next question would read the answer, and the triggerer would end.
                self._ending = asyncio.ensure_future(self._kill_if_task_was_killed())
                await asyncio.shield(self._ending)
            raise
        finally:
            await asyncio.shield(self._in_thread(watch.close))

    async def _result(self, watch: Watch) -> dict[str, Any]:
        """Look after each notification, and every poll_interval without one."""
        try:
            while (found := await self._look(watch)) is None:
                if (at := self.deadline()) is not None and datetime.now(timezone.utc) >= at:
                    await self.on_kill()
                    return {"status": "timeout"}
                await self._rest(watch)
        except Exception as error:
            self.log.exception("The trigger failed")
            return {"status": "error", "message": f"{type(error).__name__}: {error}".strip()}
        return found

    async def _look(self, watch: Watch) -> dict[str, Any] | None:
        # A thread cannot be cancelled, so on_kill() waits for this step: it may be starting the run.
        self._step = asyncio.ensure_future(self._in_thread(watch.step))
        return await asyncio.shield(self._step)

    @staticmethod
    async def _in_thread(function: Any) -> Any:
        return await sync_to_async(function, thread_sensitive=False)()

    async def _rest(self, watch: Watch) -> None:
        """Wait until the connection has something to read, at most poll_interval."""
        socket = watch.fileno()
        if socket is None:
            await asyncio.sleep(self.poll_interval)
            return
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(socket, readable.set)
        try:
            await asyncio.wait_for(readable.wait(), self.poll_interval)
        except (TimeoutError, asyncio.TimeoutError):
            return
        finally:
            loop.remove_reader(socket)
        # All triggers hear the end of each run. Do not ask all at once.
        await asyncio.sleep(random.uniform(0, 0.3))

    async def on_kill(self) -> None:
        """Do nothing: there is nothing to cancel."""

    async def _kill_if_task_was_killed(self) -> None:
        if await self._task_was_killed():
            await self.on_kill()

    async def _task_was_killed(self) -> bool:
        """Whether the task is not deferred any more. Otherwise the triggerer is stopping."""
        try:
            state = await self._in_thread(self._task_state)
        except Exception:
            self.log.exception("The state of the task is not known; its run goes on")
            return False
        return bool(state != "deferred")

    def _task_state(self) -> str | None:
        ti: Any = self.task_instance
        try:
            from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
        except ImportError:  # Airflow 2
            from airflow.models.taskinstance import TaskInstance
            from airflow.utils.session import create_session

            with create_session() as session:
                found = session.query(TaskInstance.state).filter_by(
                    dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id, map_index=ti.map_index
                )
                state: str | None = found.scalar()
                return state
        states = RuntimeTaskInstance.get_task_states(
            dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
        )
        names: dict[str, str | None] = states.get(ti.run_id, {})
        return names.get(ti.task_id, names.get(f"{ti.task_id}_{ti.map_index}"))


class CopyIncrementalRunTrigger(_WatchTrigger):
    """Waits for the end of a run, and starts the run first if there is none.

    Its arguments are its state: a triggerer that takes it over finds the run by run_id, or by the window and `since`.
    """

    def __init__(
        self,
        conn_id: str,
        poll_interval: float,
        job: str,
        start: str,
        end: str,
        since: str | None = None,
        run_id: int | None = None,
        attached: bool = False,
        give_up_at: str | None = None,
    ) -> None:
        super().__init__(conn_id, poll_interval, job, start, end)
        self.since = since
        self.run_id = run_id
        self.attached = attached
        self.give_up_at = give_up_at
        self._watch: RunWatch | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments."""
        return f"{__name__}.CopyIncrementalRunTrigger", {
            **self.arguments(),
            "since": self.since,
            "run_id": self.run_id,
            "attached": self.attached,
            "give_up_at": self.give_up_at,
        }

    def watch(self) -> RunWatch:
        """Return the watch of the run."""
        if self._watch is None:
            self._watch = RunWatch(
                self.conn_id,
                self.poll_interval,
                self.log,
                self.job,
                self.window,
                self.since,
                self.run_id,
                self.attached,
            )
        return self._watch

    def deadline(self) -> datetime | None:
        """Return when the task's execution_timeout ends."""
        return None if self.give_up_at is None else datetime.fromisoformat(self.give_up_at)

    async def on_kill(self) -> None:
        """Cancel the run at both servers: the task was marked or cleared, or its time is up."""
        if self._step is not None:
            await asyncio.wait([self._step])
        await self._in_thread(self.watch().cancel)


class CopyIncrementalWindowTrigger(_WatchTrigger):
    """Waits until a window is covered."""

    _watch: CoverageWatch | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments."""
        return f"{__name__}.CopyIncrementalWindowTrigger", self.arguments()

    def watch(self) -> CoverageWatch:
        """Return the watch of the coverage."""
        if self._watch is None:
            self._watch = CoverageWatch(self.conn_id, self.poll_interval, self.log, self.job, self.window)
        return self._watch
