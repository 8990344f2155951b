"""The destination database: one connection to it, and the functions of pg_copy_incremental."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow.providers.postgres.hooks.postgres import PostgresHook

from pg_copy_incremental_airflow.compat import AirflowException
from pg_copy_incremental_airflow.interval import Day, EndedWithin, Exactly, Request, has_offset

if TYPE_CHECKING:
    from types import TracebackType

NO_FREE_WORKER = "53000"


@dataclass(frozen=True)
class Window:
    """A half-open interval; both times are ISO 8601 with an offset."""

    start: str
    end: str

    def __str__(self) -> str:
        return f"[{self.start}, {self.end})"


@dataclass(frozen=True)
class Run:
    """A run as the ledger has it. `progress` is a line for the log."""

    run_id: int
    status: str
    rows: int = 0
    sqlstate: str | None = None
    message: str | None = None
    detail: str | None = None
    hint: str | None = None
    progress: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the run is not running any more."""
        return self.status != "running"

    @property
    def has_failed(self) -> bool:
        """Whether the run ended without its rows."""
        return self.status in ("failed", "crashed", "forgotten")

    def error(self) -> str:
        """Return the error of the run, as the server would say it."""
        lines = [f"run {self.run_id} {self.status}: {self.message or 'the server or the worker ended first'}"]
        lines += [f"{name}: {text}" for name, text in (("DETAIL", self.detail), ("HINT", self.hint)) if text]
        lines += [f"SQLSTATE: {self.sqlstate}"] if self.sqlstate else []
        return "\n".join(lines)

    def serialize(self) -> dict[str, Any]:
        """Return the members, for the event of a trigger."""
        return asdict(self)


def sqlstate_of(error: BaseException) -> str | None:
    """Return the SQLSTATE of an error of psycopg2 or psycopg; None if it is not an error of the server."""
    return getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)


# The numbers of windows that are certainly around the times asked for. A month counts as 30 days here, so 2% are added.
_WINDOWS = """
WITH job AS (
    SELECT first_day::timestamp AS origin, window_size AS size, time_zone AS zone
      FROM copy_incremental_jobs WHERE job = %(job)s
), asked AS (
    SELECT job.*, {start} AS asked_start, {end} AS asked_end FROM job
), numbered AS (
    SELECT asked.*, extract(epoch FROM (asked_start AT TIME ZONE zone) - origin) / extract(epoch FROM size) AS low,
           extract(epoch FROM (asked_end AT TIME ZONE zone) - origin) / extract(epoch FROM size) AS high
      FROM asked
), windows AS (
    SELECT (origin + size * n) AT TIME ZONE zone AS window_start,
           (origin + size * (n + 1)) AT TIME ZONE zone AS window_end, asked_start, asked_end
      FROM numbered,
           generate_series(floor(low - abs(low) * 0.02)::int - 2, ceil(high + abs(high) * 0.02)::int + 2) AS n
)
SELECT min(window_start), max(window_end) FROM windows WHERE window_start < window_end AND {chosen}
"""

_LOOK = """
SELECT r.status, r.rows_written, r.sqlstate, r.message, r.detail, r.hint, p.rows_read, p.percent,
       p.rows_per_second, p.eta::text
  FROM copy_incremental_runs AS r LEFT JOIN copy_incremental_progress AS p USING (run_id)
 WHERE r.run_id = %(run_id)s
"""


def _progress(rows_read: int, percent: float | None, rows_per_second: float | None, eta: str | None) -> str:
    text = f"{rows_read:,} rows read"
    if percent is not None:
        text += f" ({percent}%)"
    if rows_per_second is not None:
        text += f", {rows_per_second:,.0f} rows a second"
    return text + (f", {eta} left" if eta is not None else "")


class Destination:
    """A connection in autocommit, by psycopg2 or psycopg, whichever PostgresHook uses."""

    def __init__(self, conn_id: str, on_notice: Callable[[str], None] | None = None) -> None:
        self.hook = PostgresHook(postgres_conn_id=conn_id)
        self._on_notice = on_notice
        connection: Any = self.hook.get_conn()
        connection.autocommit = True
        self._connection = connection
        if hasattr(self._connection, "add_notify_handler"):  # psycopg
            # Without a handler, notifications are kept for ever.
            self._connection.add_notify_handler(lambda _: None)
            if on_notice is not None:
                self._connection.add_notice_handler(lambda notice: on_notice(notice.message_primary or ""))

    def __enter__(self) -> Destination:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def fileno(self) -> int:
        """Return the socket. It is readable when a notification has arrived, or the connection was lost."""
        return int(self._connection.fileno())

    def interrupt(self) -> None:
        """Cancel the statement that another thread executes on this connection."""
        self._connection.cancel()

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Execute a statement and return its rows."""
        with self._connection.cursor() as cursor:
            try:
                cursor.execute(sql, parameters)
            finally:
                self._drain()
            if cursor.description is None:
                return []
            # The connection may have a cursor that returns dictionaries.
            return [tuple(row.values() if isinstance(row, Mapping) else row) for row in cursor.fetchall()]

    def _drain(self) -> None:
        """Empty the lists that psycopg2 keeps."""
        if notices := getattr(self._connection, "notices", None):
            for notice in notices:
                if self._on_notice is not None:
                    self._on_notice(notice.strip())
            del notices[:]
        notifies = getattr(self._connection, "notifies", None)
        if isinstance(notifies, list):
            del notifies[:]

    def listen(self) -> None:
        """Ask for a notification at the end of each run."""
        self.rows("LISTEN copy_incremental")

    def now(self) -> str:
        """Return the time of the server."""
        return str(self.rows("SELECT clock_timestamp()")[0][0].isoformat())

    def jobs(self, job_group: str | None = None) -> list[str]:
        """Return the names of the jobs with windows of time that the user sees; of one group, if it is named."""
        found = self.rows(
            "SELECT job, window_size IS NOT NULL FROM copy_incremental_jobs "
            "WHERE %(job_group)s::text IS NULL OR job_group = %(job_group)s ORDER BY job",
            {"job_group": job_group},
        )
        if job_group is not None and not found:
            raise AirflowException(
                f'job group "{job_group}" does not exist, or the user of the connection does not see it'
            )
        return [job for job, has_windows_of_time in found if has_windows_of_time]

    def window(self, job: str, request: Request) -> Window | None:
        """Return the time that the windows of a job cover that are asked for; None if there is no such window."""
        found = self.rows("SELECT window_size IS NULL FROM copy_incremental_jobs WHERE job = %(job)s", {"job": job})
        if not found:
            raise AirflowException(f'job "{job}" does not exist, or the user of the connection does not see it')
        if isinstance(request, Exactly):
            return self._exact_window(job, request)
        if found[0][0]:
            raise AirflowException(f'job "{job}" has no windows of time; use CopyIncrementalCatchUpOperator')
        if isinstance(request, Day):
            start, end = (f"(%(start)s::date + {n})::timestamp AT TIME ZONE zone" for n in (0, 1))
            parameters = {"job": job, "start": request.day}
            chosen = "window_start < asked_end AND window_end > asked_start"
        else:
            start, end = "%(start)s::timestamptz", "%(end)s::timestamptz"
            parameters = {"job": job, "start": request.start, "end": request.end}
            chosen = "window_end > asked_start AND window_end <= asked_end"
            if request == EndedWithin(request.end, request.end):
                chosen = "window_end = (SELECT max(window_end) FROM windows WHERE window_end <= asked_end)"
        row = self.rows(_WINDOWS.format(start=start, end=end, chosen=chosen), parameters)[0]
        return None if row[0] is None else Window(row[0].isoformat(), row[1].isoformat())

    def _exact_window(self, job: str, request: Exactly) -> Window:
        start, end = (
            f"%({name})s::timestamptz" if has_offset(time) else f"%({name})s::timestamp AT TIME ZONE time_zone"
            for name, time in (("start", request.start), ("end", request.end))
        )
        row = self.rows(
            f"SELECT {start}, {end} FROM copy_incremental_jobs WHERE job = %(job)s", {"job": job, **asdict(request)}
        )[0]
        return Window(row[0].isoformat(), row[1].isoformat())

    def is_covered(self, job: str, window: Window) -> bool:
        """Whether all of the window is known to be loaded completely."""
        found = self.rows(
            "SELECT covered @> tstzrange(%(start)s::timestamptz, %(end)s::timestamptz) FROM copy_incremental_jobs "
            "WHERE job = %(job)s",
            {"job": job, **asdict(window)},
        )
        return bool(found and found[0][0])

    def start(self, job: str, window: Window) -> int:
        """Start a run in a background worker and return its run_id."""
        ((run_id,),) = self.rows(
            "SELECT copy_incremental_start_range(%(job)s, tstzrange(%(start)s::timestamptz, %(end)s::timestamptz))",
            {"job": job, **asdict(window)},
        )
        return int(run_id)

    def find_run(self, job: str, window: Window, since: str | None = None) -> int | None:
        """Return a run of the window that is running, or that began at `since` or later; None if there is none."""
        # The window of a job with a lookback begins earlier.
        found = self.rows(
            "SELECT run_id FROM copy_incremental_runs WHERE job = %(job)s "
            "AND data_interval @> tstzrange(%(start)s::timestamptz, %(end)s::timestamptz) "
            "AND upper(data_interval) = %(end)s::timestamptz AND mode NOT IN ('repair', 'retry') "
            "AND (status = 'running' OR started_at >= coalesce(%(since)s::timestamptz, 'infinity')) "
            "ORDER BY run_id DESC LIMIT 1",
            {"job": job, "since": since, **asdict(window)},
        )
        return int(found[0][0]) if found else None

    def look(self, run_id: int) -> Run:
        """Return the state of a run."""
        try:
            # Marks the run as crashed if its worker has ended. The error of the run is read below.
            self.rows("SELECT copy_incremental_wait(%(run_id)s::bigint, '0')", {"run_id": run_id})
        except Exception as error:
            if sqlstate_of(error) is None:
                raise
        found = self.rows(_LOOK, {"run_id": run_id})
        if not found:
            return Run(run_id, "forgotten", message="the ledger has no such run")
        *ledger, rows_read, percent, rows_per_second, eta = found[0]
        progress = None if rows_read is None else _progress(rows_read, percent, rows_per_second, eta)
        status, rows, sqlstate, message, detail, hint = ledger
        return Run(run_id, status, rows, sqlstate, message, detail, hint, progress)

    def cancel(self, run_id: int) -> bool:
        """Cancel a run, here and at the source. Returns false if it is not running."""
        return bool(self.rows("SELECT copy_incremental_cancel(%(run_id)s::bigint)", {"run_id": run_id})[0][0])
