"""Defining jobs, and their names to map over."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pg_copy_incremental_airflow.compat import BaseOperator
from pg_copy_incremental_airflow.destination import Destination


class CopyIncrementalCreateJobOperator(BaseOperator):
    """Defines a job, or defines it again; its record of loaded windows is kept.

    The query and the options reach the server as they are: Jinja does not render them, so `$1`, `{}`, `{{` and `%`
    need no escape.

    :param job: name of the job
    :param source: foreign server of the source, or a connection string without a password
    :param query: the query at the source
    :param options: other arguments of copy_incremental_create_job(), such as window_column, first_day and mode
    :param conn_id: connection of type Postgres to the destination database
    """

    template_fields: Sequence[str] = ("job", "source", "conn_id")
    ui_color = "#d8e8f8"

    def __init__(
        self,
        *,
        job: str,
        source: str,
        query: str,
        options: Mapping[str, Any] | None = None,
        conn_id: str = "postgres_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job = job
        self.source = source
        self.query = query
        self.options = options
        self.conn_id = conn_id

    def execute(self, context: Any) -> None:  # noqa: ARG002
        """Call copy_incremental_create_job()."""
        arguments = {"or_replace": True, **(self.options or {})}
        arguments.update(job=self.job, src_conninfo=self.source, query_template=self.query)
        for name in arguments:
            if not re.fullmatch("[a-z_]+", name):
                raise ValueError(f"{name!r} is not an argument of copy_incremental_create_job()")
        named = ", ".join(f"{name} => %({name})s" for name in arguments)
        with Destination(self.conn_id, on_notice=self.log.info) as destination:
            destination.rows(f"SELECT copy_incremental_create_job({named})", arguments)


class CopyIncrementalJobsOperator(BaseOperator):
    """Returns the names of the jobs with windows of time that the user of the connection sees.

    Connect as the role that owns the jobs: a superuser sees all jobs, but cannot run those of others.

    :param job_group: only the jobs of this group
    :param conn_id: connection of type Postgres to the destination database
    """

    template_fields: Sequence[str] = ("job_group", "conn_id")
    ui_color = "#d8e8f8"

    def __init__(self, *, job_group: str | None = None, conn_id: str = "postgres_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_group = job_group
        self.conn_id = conn_id

    def execute(self, context: Any) -> list[str]:  # noqa: ARG002
        """Read copy_incremental_jobs."""
        with Destination(self.conn_id) as destination:
            names = destination.jobs(self.job_group or None)
        if not names:
            self.log.warning("The user of the connection %s sees no job with windows of time.", self.conn_id)
        return names


def jobs(
    conn_id: str = "postgres_default", task_id: str = "jobs", *, job_group: str | None = None, **kwargs: Any
) -> Any:
    """Return the names of the jobs, to map a task over: `.expand(job=jobs("dwh"))`."""
    return CopyIncrementalJobsOperator(conn_id=conn_id, task_id=task_id, job_group=job_group, **kwargs).output
