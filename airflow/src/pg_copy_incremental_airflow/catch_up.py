"""CopyIncrementalCatchUpOperator: everything that is due and missing."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from pg_copy_incremental_airflow.compat import BaseOperator
from pg_copy_incremental_airflow.destination import Destination
from pg_copy_incremental_airflow.lineage import lineage_of

_LINES = """
SELECT format('%%s %%s: %%s rows read', p.target, coalesce(lower(p.data_interval)::text, ''), p.rows_read)
  FROM copy_incremental_progress AS p WHERE %(pid)s::int IN (p.pid, p.leader_pid) ORDER BY 1
"""
_SUMMARY = """
SELECT count(*), coalesce(sum(rows_written), 0)::bigint, array_agg(DISTINCT job) FROM copy_incremental_runs
 WHERE started_at >= %(since)s::timestamptz AND username = current_user AND status = 'succeeded'
   AND job = coalesce(%(job)s::text, job)
"""


class CopyIncrementalCatchUpOperator(BaseOperator):
    """Loads every window that is due and missing, of one job or of all jobs that the user of the connection owns.

    Calls copy_incremental_catch_up(). The task holds its slot during the call; a call that is killed or that runs into
    execution_timeout is cancelled at both servers. The XCom of the task is the number of windows and of rows that this
    user's runs have loaded since the call began.

    :param job: name of the job; None or an empty text for all jobs
    :param workers: number of windows that are loaded at the same time
    :param conn_id: connection of type Postgres to the destination database
    :param poll_interval: seconds between two looks at the progress for the log
    """

    template_fields: Sequence[str] = ("job", "workers", "conn_id")
    ui_color = "#d8e8f8"

    def __init__(
        self,
        *,
        job: str | None = None,
        workers: int | str = 1,
        conn_id: str = "postgres_default",
        poll_interval: float = 10,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job = job
        self.workers = workers
        self.conn_id = conn_id
        self.poll_interval = poll_interval
        self._caller: Destination | None = None
        self._jobs: list[str] = []

    def execute(self, context: Any) -> dict[str, int]:  # noqa: ARG002
        """Make the call in a thread, because a driver that waits in C does not react to a signal."""
        job = self.job or None
        with Destination(self.conn_id, on_notice=self.log.info) as caller, Destination(self.conn_id) as observer:
            since = observer.now()
            pid = caller.rows("SELECT pg_backend_pid()")[0][0]
            self._caller = caller
            errors: list[BaseException] = []
            call = threading.Thread(target=self._call, args=(caller, job, errors), daemon=True)
            call.start()
            try:
                while call.is_alive():
                    call.join(self.poll_interval)
                    for (line,) in observer.rows(_LINES, {"pid": pid}) if call.is_alive() else []:
                        self.log.info("%s", line)
            finally:
                if call.is_alive():
                    caller.interrupt()
                    call.join(self.poll_interval)
            if errors:
                raise errors[0]
            windows, rows, self._jobs = observer.rows(_SUMMARY, {"since": since, "job": job})[0]
        self.log.info("%s windows, %s rows.", windows, f"{rows:,}")
        return {"windows": windows, "rows": rows}

    def _call(self, caller: Destination, job: str | None, errors: list[BaseException]) -> None:
        try:
            caller.rows(
                "CALL copy_incremental_catch_up(%(job)s::text, workers => %(workers)s::int)",
                {"job": job, "workers": int(self.workers)},
            )
        except BaseException as error:
            errors.append(error)

    def on_kill(self) -> None:
        """Cancel the call, which ends its workers and their queries at the source."""
        if self._caller is not None:
            self._caller.interrupt()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002
        """Return the tables at the sources and the targets, for OpenLineage."""
        return lineage_of(self.conn_id, self._jobs or [])
