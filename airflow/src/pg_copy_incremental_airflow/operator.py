"""CopyIncrementalOperator: one window of a job."""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from pg_copy_incremental_airflow.compat import AirflowException, AirflowSkipException, AirflowTaskTimeout, BaseOperator
from pg_copy_incremental_airflow.destination import Destination, Run
from pg_copy_incremental_airflow.interval import DataInterval, requested
from pg_copy_incremental_airflow.lineage import lineage_of
from pg_copy_incremental_airflow.triggers import CopyIncrementalRunTrigger
from pg_copy_incremental_airflow.watch import RunWatch

# A run that ends within so many seconds is not worth a deferral, which takes about as long.
SHORT_RUN = 5.0


class CopyIncrementalOperator(BaseOperator):
    """Loads the windows of a job that ended within the data interval of the DAG run, as one run of the job.

    The run is executed by a background worker of the destination server. The XCom of the task is the number of rows
    written; the XCom `run_id` is the number of the run in copy_incremental_runs.

    :param job: name of the job
    :param data_interval: a day such as "2018-07-29", a pair of times, or two times with a slash between them; by
        default, the data interval of the DAG run
    :param conn_id: connection of type Postgres to the destination database
    :param deferrable: release the worker slot if the run takes longer than a few seconds; the triggerer waits then
    :param poll_interval: seconds after which the task looks at the run without a notification, and between two lines
        of progress in the log
    """

    template_fields: Sequence[str] = ("job", "data_interval", "conn_id")
    ui_color = "#d8e8f8"

    def __init__(
        self,
        *,
        job: str,
        data_interval: DataInterval = None,
        conn_id: str = "postgres_default",
        deferrable: bool = True,
        poll_interval: float = 10,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job = job
        self.data_interval = data_interval
        self.conn_id = conn_id
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self._watch: RunWatch | None = None

    def execute(self, context: Any) -> int:
        """Start the run; then wait for its end here, or let the triggerer do so."""
        with Destination(self.conn_id) as destination:
            request = requested(self.data_interval, context)
            window = destination.window(self.job, request)
        if window is None:
            raise AirflowSkipException(f"no window of job {self.job} fits {request}")
        watch = self._watch = RunWatch(self.conn_id, self.poll_interval, self.log, self.job, window)
        try:
            found = watch.step()
            self._push_run_id(context, watch.run_id)
            stays_until = time.monotonic() + SHORT_RUN
            while found is None:
                # Without a run, the task waits for a free worker.
                stays = stays_until - time.monotonic() if watch.run_id is not None else 0.0
                if self.deferrable and stays <= 0:
                    self._defer(watch)
                self._rest(watch, min(stays, self.poll_interval) if self.deferrable else self.poll_interval)
                found = watch.step()
        except BaseException as error:
            # An execution_timeout, or Ctrl-C. Airflow calls on_kill() for a task that is killed.
            if isinstance(error, (AirflowTaskTimeout, KeyboardInterrupt)):
                watch.cancel()
            raise
        finally:
            watch.close()
        return self._finish(context, found)

    def _defer(self, watch: RunWatch) -> None:
        timeout = self.execution_timeout
        self.defer(
            trigger=CopyIncrementalRunTrigger(
                conn_id=self.conn_id,
                poll_interval=self.poll_interval,
                job=self.job,
                start=watch.window.start,
                end=watch.window.end,
                since=watch.since,
                run_id=watch.run_id,
                attached=watch.attached,
                # Not the timeout of defer(), which would end the trigger and leave the run.
                give_up_at=None if timeout is None else (datetime.now(timezone.utc) + timeout).isoformat(),
            ),
            method_name="execute_complete",
        )

    @staticmethod
    def _rest(watch: RunWatch, seconds: float) -> None:
        socket = watch.fileno()
        if socket is None:
            time.sleep(seconds)
        else:
            select.select([socket], [], [], seconds)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> int:
        """Continue after the trigger."""
        if event["status"] == "timeout":
            raise AirflowTaskTimeout(f"execution_timeout; the run of job {self.job} was cancelled")
        if event["status"] == "error":
            raise AirflowException(event["message"])
        return self._finish(context, event)

    def _finish(self, context: Any, found: dict[str, Any]) -> int:
        run = Run(**found)
        self._push_run_id(context, run.run_id)
        if run.has_failed:
            raise AirflowException(run.error())
        self.log.info("Run %s of %s %s: %s rows.", run.run_id, self.job, run.status, f"{run.rows:,}")
        return run.rows

    @staticmethod
    def _push_run_id(context: Any, run_id: int | None) -> None:
        if run_id is not None:
            context["ti"].xcom_push(key="run_id", value=run_id)

    def on_kill(self) -> None:
        """Cancel the run at both servers."""
        if self._watch is not None:
            self._watch.cancel()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002
        """Return the tables at the source and the target, for OpenLineage."""
        return lineage_of(self.conn_id, [self.job])
