"""What is measured: each method is a pipeline of client programs that copies a table of the source into the same table
of the destination. Its time is from the start of the first program to the end of the last."""

import sys
from dataclasses import dataclass
from typing import Callable

from .servers import column_definitions, foreign_server


@dataclass(frozen=True)
class Copy:
    """One table to copy: its name, the round trip to the source in ms, rows of a batch."""
    table: str
    delay: float
    batch: int


@dataclass(frozen=True)
class Method:
    """`commands(servers, copy)` is the pipeline, a list of command lines. A limit has only one of the two servers;
    `fills` says whether the destination's table is full afterwards, `delays` whether it also runs over a round trip."""
    title: str
    kind: str  # ours, peer, limit
    commands: Callable
    fills: bool = True
    delays: bool = True


def call(server, template, batch, target, method, more=""):
    """The SQL of our call for a whole result; `more` are further arguments, each behind a comma."""
    return (f"SELECT copy_incremental('{server}', '{template}', NULL, {batch}, target => '{target}', "
            f"method => '{method}'{more})")


def ours(method, server=None):
    def commands(servers, copy):
        sql = call(server or foreign_server(copy.delay), f"SELECT * FROM {copy.table}", copy.batch, copy.table, method)
        return [servers.psql(servers.loader(), "-c", sql)]
    return commands


def python_job(servers, copy):
    return [[sys.executable, "-B", "-m", f"{__package__}.python_job", servers.reader(copy.delay), servers.loader(),
             copy.table, str(copy.batch)]]


def psql_pipe(form, sslmode="disable"):
    def commands(servers, copy):
        return [servers.psql(servers.reader(copy.delay, sslmode), "-c", f"COPY {copy.table} TO STDOUT (FORMAT {form})"),
                servers.psql(servers.loader(), "-c", f"COPY {copy.table} FROM STDIN (FORMAT {form})")]
    return commands


def postgres_fdw(servers, copy):
    foreign = f"{foreign_server(copy.delay)}.{copy.table}"
    return [servers.psql(servers.loader(), "-c", f"INSERT INTO {copy.table} SELECT * FROM {foreign}")]


def dblink(servers, copy):
    columns = column_definitions(servers.destination, copy.table)
    return [servers.psql(servers.loader(), "-c",
                         f"INSERT INTO {copy.table} SELECT * FROM "
                         f"dblink('{foreign_server(copy.delay)}', 'SELECT * FROM {copy.table}') AS t({columns})")]


def source_limit(servers, copy):
    return [servers.psql(servers.reader(), "-c", f"COPY {copy.table} TO '/dev/null' (FORMAT binary)")]


def destination_limit(servers, copy):
    return [servers.psql(servers.loader(), "-c",
                         f"COPY {copy.table} FROM '{servers.binary_file(copy.table)}' (FORMAT binary)")]


METHODS = {
    "cursor": Method("copy_incremental, cursor", "ours", ours("cursor")),
    "copy": Method("copy_incremental, copy", "ours", ours("copy")),
    "binary_pipe": Method("psql pipe, binary COPY", "peer", psql_pipe("binary")),
    "cursor_tls": Method("copy_incremental, cursor, TLS", "tls", ours("cursor", "src_tls"), delays=False),
    "binary_pipe_tls": Method("psql pipe, binary COPY, TLS", "peer", psql_pipe("binary", "require"), delays=False),
    "text_pipe": Method("psql pipe, text COPY", "peer", psql_pipe("text")),
    "postgres_fdw": Method("postgres_fdw, INSERT..SELECT", "peer", postgres_fdw),
    "dblink": Method("dblink, INSERT..SELECT", "peer", dblink),
    "python_job": Method("Python job (psycopg2)", "peer", python_job),
    "destination_limit": Method("limit: COPY FROM a file", "limit", destination_limit,
                                delays=False),
    "source_limit": Method("limit: COPY TO /dev/null", "limit", source_limit, fills=False, delays=False),
}
OURS = [name for name, method in METHODS.items() if method.kind == "ours"]
YARDSTICK = "binary_pipe"
