"""Waits for a run or for coverage, with a connection that listens; used by tasks and by triggers."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Any

from pg_copy_incremental_airflow.compat import AirflowException
from pg_copy_incremental_airflow.destination import NO_FREE_WORKER, Destination, Run, Window, sqlstate_of

# After so many failed attempts in a row to reach the destination, a watch gives up.
MOST_FAILURES = 60


class Watch(ABC):
    """Looks at the destination until something has happened. step() blocks for moments only."""

    def __init__(self, conn_id: str, poll_interval: float, log: Any) -> None:
        self.conn_id = conn_id
        self.poll_interval = poll_interval
        self.log = log
        self._destination: Destination | None = None
        self._failures = 0

    @abstractmethod
    def look(self, destination: Destination) -> dict[str, Any] | None:
        """Look once. Returns the result when there is one."""

    def step(self) -> dict[str, Any] | None:
        """Connect if it is necessary, and look once. An error of the connection is one attempt of many."""
        try:
            if self._destination is None:
                self._destination = Destination(self.conn_id)
                self._destination.listen()
            found = self.look(self._destination)
        except Exception as error:
            if not self._is_lost(error):
                raise
            self.close()
            self._failures += 1
            if self._failures >= MOST_FAILURES:
                raise
            self.log.warning("The connection %s failed, trying again: %s", self.conn_id, str(error).strip())
            return None
        self._failures = 0
        return found

    def _is_lost(self, error: Exception) -> bool:
        """Whether to connect again: no answer of the server, or the server ended the connection or refused one."""
        if isinstance(error, AirflowException):
            return False
        module = type(error).__module__
        sqlstate = sqlstate_of(error)
        if sqlstate is None:
            return module.startswith("psycopg")
        return sqlstate.startswith("08") or sqlstate in ("57P01", "57P02", "57P03", "53300")

    def fileno(self) -> int | None:
        """Return the socket to wait for; None without a connection."""
        return None if self._destination is None else self._destination.fileno()

    def close(self) -> None:
        """Close the connection."""
        if self._destination is not None:
            try:
                self._destination.close()
            finally:
                self._destination = None


class RunWatch(Watch):
    """Follows the run of a window to its end, and starts it if there is none.

    A run that somebody else had started is followed too; if that one fails, the watch starts its own. `since` is the
    time from which on a run of the window is the own one: a trigger that was restarted finds it by that.
    """

    def __init__(
        self,
        conn_id: str,
        poll_interval: float,
        log: Any,
        job: str,
        window: Window,
        since: str | None = None,
        run_id: int | None = None,
        attached: bool = False,
    ) -> None:
        super().__init__(conn_id, poll_interval, log)
        self.job = job
        self.window = window
        self.since = since
        self.run_id = run_id
        self.attached = attached
        self._next_line = 0.0
        self._has_said_busy = False

    def look(self, destination: Destination) -> dict[str, Any] | None:
        """Return the run when it has ended."""
        if self.since is None:
            self.since = destination.now()
            self._attach(destination)
        elif self.run_id is None:
            self.run_id = destination.find_run(self.job, self.window, self.since)
        if self.run_id is None and not self._start(destination):
            return None
        assert self.run_id is not None
        run = destination.look(self.run_id)
        if not run.has_ended:
            self._say(run)
            return None
        if run.has_failed and self.attached:
            self.log.warning("%s\nStarting another run of %s.", run.error(), self.window)
            self.run_id, self.attached, self.since = None, False, destination.now()
            return self.look(destination) if self._start(destination) else None
        return run.serialize()

    def _attach(self, destination: Destination) -> None:
        self.run_id = destination.find_run(self.job, self.window)
        if self.run_id is not None:
            self.attached = True
            self.log.info("Run %s of %s, window %s, is running; waiting for it.", self.run_id, self.job, self.window)

    def _start(self, destination: Destination) -> bool:
        try:
            self.run_id = destination.start(self.job, self.window)
        except Exception as error:
            if sqlstate_of(error) != NO_FREE_WORKER:
                raise
            if not self._has_said_busy:
                self.log.info("No background worker is free; waiting for one: %s", str(error).strip())
            self._has_said_busy = True
            return False
        self.log.info("Run %s of %s has started, window %s.", self.run_id, self.job, self.window)
        return True

    def _say(self, run: Run) -> None:
        if run.progress is not None and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + self.poll_interval
            self.log.info("Run %s: %s", run.run_id, run.progress)

    def cancel(self) -> None:
        """Cancel the run, over a connection of its own: the other one may be in use."""
        if self.run_id is None:
            return
        with Destination(self.conn_id) as destination:
            was_running = destination.cancel(self.run_id)
        self.log.info("Run %s %s.", self.run_id, "was cancelled" if was_running else "had ended")


class CoverageWatch(Watch):
    """Waits until a window of a job is loaded completely."""

    def __init__(self, conn_id: str, poll_interval: float, log: Any, job: str, window: Window) -> None:
        super().__init__(conn_id, poll_interval, log)
        self.job = job
        self.window = window

    def look(self, destination: Destination) -> dict[str, Any] | None:
        """Return a result when the window is covered."""
        return {"status": "covered"} if destination.is_covered(self.job, self.window) else None
