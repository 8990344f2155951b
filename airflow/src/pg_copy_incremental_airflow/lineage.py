"""The tables of jobs as datasets of OpenLineage."""

from __future__ import annotations

import re
from typing import Any

from pg_copy_incremental_airflow.destination import Destination

# The last run knows the tables that the query reads. Every user can read the options of a foreign server.
_TABLES = """
SELECT j.target, j.source, r.source_tables, o.host, o.port, o.dbname, current_database()
  FROM copy_incremental_jobs AS j
  LEFT JOIN copy_incremental_runs AS r ON r.run_id = j.last_run_id
  LEFT JOIN LATERAL (
       SELECT s.srvname, max(v.option_value) FILTER (WHERE v.option_name = 'host') AS host,
              max(v.option_value) FILTER (WHERE v.option_name = 'port') AS port,
              max(v.option_value) FILTER (WHERE v.option_name = 'dbname') AS dbname
         FROM pg_foreign_server AS s, pg_options_to_table(s.srvoptions) AS v
        WHERE s.srvname = j.source GROUP BY s.srvname) AS o ON true
 WHERE j.job = ANY(%(jobs)s::text[])
"""
_ADDRESS = r"(?P<host>.+):(?P<port>\d+)/(?P<dbname>.+)"


def lineage_of(conn_id: str, jobs: list[str]) -> Any:
    """Return the OperatorLineage of jobs; None without the OpenLineage provider."""
    try:
        from airflow.providers.openlineage.extractors import OperatorLineage
        from openlineage.client.event_v2 import Dataset
    except ImportError:
        return None
    inputs, outputs = datasets_of(conn_id, jobs)
    return OperatorLineage(
        inputs=[Dataset(namespace=namespace, name=name) for namespace, name in inputs],
        outputs=[Dataset(namespace=namespace, name=name) for namespace, name in outputs],
    )


def datasets_of(conn_id: str, jobs: list[str]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the sources' tables and the targets, each as a namespace and a name."""
    inputs: set[tuple[str, str]] = set()
    outputs: set[tuple[str, str]] = set()
    with Destination(conn_id) as destination:
        here = destination.hook.get_connection(conn_id)
        for target, source, source_tables, host, port, dbname, database in destination.rows(_TABLES, {"jobs": jobs}):
            if target is not None:
                outputs.add((f"postgres://{here.host}:{here.port or 5432}", f"{database}.{_plain(target)}"))
            if host is None and (address := re.fullmatch(_ADDRESS, source or "")):
                host, port, dbname = address["host"], address["port"], address["dbname"]
            if host is not None:
                for table in source_tables or []:
                    inputs.add((f"postgres://{host}:{port or 5432}", f"{dbname}.{_plain(table)}"))
    return sorted(inputs), sorted(outputs)


def _plain(name: str) -> str:
    return name.replace('"', "")
