"""CopyIncrementalCatchUpOperator: everything that is due and missing."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from pg_copy_incremental_airflow.compat import BaseOperator
from pg_copy_incremental_airflow.destination import Destination
from pg_copy_incremental_airflow.lineage import lineage_of

_CALL = """
CALL copy_incremental_catch_up(%(job)s::text, job_group => %(job_group)s::text, atomic => %(atomic)s::boolean,
                               workers => %(workers)s::int)
"""
_LINES = """
SELECT format('%%s %%s: %%s rows read', p.target, coalesce(lower(p.data_interval)::text, ''), p.rows_read)
  FROM copy_incremental_progress AS p WHERE %(pid)s::int IN (p.pid, p.leader_pid) ORDER BY 1
"""
# Two roles can have groups of the same name; the call loads that of the user, if there is one.
_SUMMARY = """
WITH jobs AS (
    SELECT job, rank() OVER (ORDER BY owner IS DISTINCT FROM current_user) AS choice FROM copy_incremental_jobs
     WHERE job = coalesce(%(job)s::text, job) AND (%(job_group)s::text IS NULL OR job_group = %(job_group)s)
)
SELECT count(*), coalesce(sum(rows_written), 0)::bigint, array_agg(DISTINCT job) FROM copy_incremental_runs
 WHERE started_at >= %(since)s::timestamptz AND username = current_user AND status = 'succeeded'
   AND job IN (SELECT job FROM jobs WHERE choice = 1)
"""


class CopyIncrementalCatchUpOperator(BaseOperator):
    """Loads every window that is due and missing: of one job, of a job group, or of all jobs of the connection's user.

    Calls copy_incremental_catch_up(). The task holds its slot during the call; a call that is killed or that runs into
    execution_timeout is cancelled at both servers. The XCom of the task is the number of windows and of rows of these
    jobs that this user's runs have loaded since the call began.

    :param job: name of the job; None or an empty text for all jobs
    :param job_group: name of a job group, instead of `job`: its windows are read in one snapshot of the source
    :param atomic: load the same window of all jobs of a group in one transaction
    :param workers: number of windows that are loaded at the same time
    :param conn_id: connection of type Postgres to the destination database
    :param poll_interval: seconds between two looks at the progress for the log
    """

    template_fields: Sequence[str] = ("job", "job_group", "atomic", "workers", "conn_id")
    ui_color = "#d8e8f8"

    def __init__(
        self,
        *,
        job: str | None = None,
        job_group: str | None = None,
        atomic: bool | str | None = False,
        workers: int | str = 1,
        conn_id: str = "postgres_default",
        poll_interval: float = 10,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if _is_name(job) and _is_name(job_group):
            raise ValueError("job and job_group cannot be used together; pass one of them")
        if _is_name(job) and atomic is True:
            raise ValueError("atomic has no meaning for one job; pass job_group instead of job, or leave atomic out")
        self.job = job
        self.job_group = job_group
        self.atomic = atomic
        self.workers = workers
        self.conn_id = conn_id
        self.poll_interval = poll_interval
        self._caller: Destination | None = None
        self._loaded_jobs: list[str] = []

    def execute(self, context: Any) -> dict[str, int]:  # noqa: ARG002
        """Make the call in a thread, because a driver that waits in C does not react to a signal."""
        arguments = {
            "job": self.job or None,
            "job_group": self.job_group or None,
            "atomic": self.atomic or False,
            "workers": int(self.workers),
        }
        with Destination(self.conn_id, on_notice=self.log.info) as caller, Destination(self.conn_id) as observer:
            since = observer.now()
            pid = caller.rows("SELECT pg_backend_pid()")[0][0]
            self._caller = caller
            errors: list[BaseException] = []
            call = threading.Thread(target=self._call, args=(caller, arguments, errors), daemon=True)
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
            windows, rows, loaded_jobs = observer.rows(_SUMMARY, {"since": since, **arguments})[0]
        self._loaded_jobs = loaded_jobs or []
        self.log.info("%s windows, %s rows.", windows, f"{rows:,}")
        return {"windows": windows, "rows": rows}

    @staticmethod
    def _call(caller: Destination, arguments: dict[str, Any], errors: list[BaseException]) -> None:
        try:
            caller.rows(_CALL, arguments)
        except BaseException as error:
            errors.append(error)

    def on_kill(self) -> None:
        """Cancel the call, which ends its workers and their queries at the source."""
        if self._caller is not None:
            self._caller.interrupt()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002
        """Return the tables at the sources and the targets, for OpenLineage."""
        return lineage_of(self.conn_id, self._loaded_jobs)


def _is_name(argument: Any) -> bool:
    """Whether an argument is a name already when the DAG is parsed. A template may yield an empty text later."""
    return isinstance(argument, str) and argument != "" and "{{" not in argument and "{%" not in argument
