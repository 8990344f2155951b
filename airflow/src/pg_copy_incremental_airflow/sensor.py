"""CopyIncrementalWindowSensor: waits until a window is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pg_copy_incremental_airflow.compat import AirflowException, BaseSensorOperator
from pg_copy_incremental_airflow.destination import Destination, Window
from pg_copy_incremental_airflow.interval import DataInterval, requested
from pg_copy_incremental_airflow.triggers import CopyIncrementalWindowTrigger


class CopyIncrementalWindowSensor(BaseSensorOperator):
    """Waits until a job has loaded the windows of the data interval completely, whoever loads them.

    Succeeds at once if no window ended within the data interval.

    :param job: name of the job
    :param data_interval: as for CopyIncrementalOperator
    :param conn_id: connection of type Postgres to the destination database
    :param deferrable: wait in the triggerer; otherwise `mode` says how to wait
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
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job = job
        self.data_interval = data_interval
        self.conn_id = conn_id
        self.deferrable = deferrable

    def poke(self, context: Any) -> bool:
        """Whether the window is covered."""
        return self._missing_window(context) is None

    def _missing_window(self, context: Any) -> Window | None:
        with Destination(self.conn_id) as destination:
            window = destination.window(self.job, requested(self.data_interval, context))
            if window is None or destination.is_covered(self.job, window):
                return None
        self.log.info("Window %s of %s is not loaded completely.", window, self.job)
        return window

    def execute(self, context: Any) -> Any:
        """Wait."""
        if not self.deferrable:
            return super().execute(context)
        window = self._missing_window(context)
        if window is not None:
            self.defer(
                trigger=CopyIncrementalWindowTrigger(
                    conn_id=self.conn_id,
                    poll_interval=float(self.poke_interval),
                    job=self.job,
                    start=window.start,
                    end=window.end,
                ),
                method_name="execute_complete",
                timeout=timedelta(seconds=float(self.timeout)),
            )
        return None

    def execute_complete(self, context: Any, event: dict[str, Any]) -> None:  # noqa: ARG002
        """Continue after the trigger."""
        if event["status"] == "error":
            raise AirflowException(event["message"])
