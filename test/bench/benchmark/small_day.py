"""A small day: 1,000 rows by our call, against two psql sessions that are open already and copy through a FIFO, plus
the time of one connect."""

import os
import random
import subprocess
import time
from dataclasses import dataclass

import psycopg2

from .measurements import spread
from .runs import RunFailed
from .servers import CHECKSUM, foreign_server, query
from .shapes import NARROW_COLUMNS, NARROW_ROWS, Shape
from .speed import refusal

ROWS = 1000
FIRST_DAY = "2018-07-01"
DAYS = Shape("days of 1,000 narrow rows", ROWS, NARROW_COLUMNS,
             NARROW_ROWS.replace("timestamptz '2018-07-01 00:00:00+00' + g * interval '1.37 seconds'",
                                 f"timestamptz '{FIRST_DAY} 00:00:00+00' + (g - 1) * interval '86.4 seconds'"))
DONE = "statement is done"


@dataclass(frozen=True)
class SmallDay:
    """Spreads in milliseconds, by method; `ratio` is paired by day: our time by that of the pipe plus the connect."""
    days: int
    pipe: object
    connect: object
    ours: dict
    first: dict
    ratio: dict


class PsqlSession:
    """A psql that stays connected and takes SQL from us."""

    def __init__(self, servers, conninfo):
        self.process = subprocess.Popen(servers.psql(conninfo), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.run("SELECT 1;")

    def send(self, sql):
        self.process.stdin.write(f"{sql}\n\\echo {DONE}\n")
        self.process.stdin.flush()

    def wait(self):
        """Wait for the end of what was sent; returns the lines printed. Raises RunFailed when psql has ended."""
        lines = []
        for line in self.process.stdout:
            if line.rstrip("\n") == DONE:
                return lines
            lines.append(line.rstrip("\n"))
        raise RunFailed("psql ended before its statement did")

    def run(self, sql):
        self.send(sql)
        return self.wait()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def slice_of(number):
    """The day's date, and its WHERE clause."""
    day = f"date '{FIRST_DAY}' + {number}"
    return day, f"created_at >= ({day})::timestamptz AND created_at < ({day} + 1)::timestamptz"


def milliseconds(action):
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000


def measure(servers, options):
    """Each day by the pipe, by a connect and by each of our methods, shuffled, checked each time; returns SmallDay."""
    servers.create_table("days", DAYS, DAYS.fill("days", ROWS * options.days))
    for server in (servers.source, servers.destination):
        with server.cursor() as cursor:
            cursor.execute("CREATE INDEX ON days (created_at); ANALYZE days")
    fifo = f"{servers.work}/pipe"
    os.mkfifo(fifo)
    reader = PsqlSession(servers, servers.reader(options.delay))
    loader = PsqlSession(servers, servers.loader())
    methods = [method for method in options.our_methods if refusal(servers, "days", method, options.batch) is None]

    def pipe(number):
        reader.send(f"\\copy (SELECT * FROM days WHERE {slice_of(number)[1]}) TO '{fifo}' (FORMAT binary)")
        loader.send(f"\\copy days FROM '{fifo}' (FORMAT binary)")
        reader.wait()
        loader.wait()

    def connect(_):
        psycopg2.connect(servers.reader(options.delay)).close()

    def our_call(method, session):
        return lambda number: session.run(
            f"SELECT copy_incremental('{foreign_server(options.delay)}', 'SELECT * FROM days WHERE created_at >= $1 "
            f"AND created_at < $2', {slice_of(number)[0]}, {options.batch}, target => 'days', method => '{method}');")

    def timed(action, number, expected):
        servers.reset("days")
        taken = milliseconds(lambda: action(number))
        if expected and servers.checksum(servers.destination, "days") != expected:
            raise RunFailed(f"small day {number}: the rows that arrived are not those of the source")
        return taken

    def expected_of(number):
        return query(servers.source, CHECKSUM.format(f"(SELECT * FROM days WHERE {slice_of(number)[1]})"))

    first = {}
    for method in methods:
        session = PsqlSession(servers, servers.loader())
        first[method] = timed(our_call(method, session), 0, expected_of(0))
        session.close()

    actions = {"pipe": pipe, "connect": connect} | {method: our_call(method, loader) for method in methods}
    for action in actions.values():
        timed(action, 0, None)  # so that all are warm
    times = {name: [] for name in actions}
    shuffle = random.Random(options.seed).shuffle
    for number in range(options.days):
        names = list(actions)
        shuffle(names)
        for name in names:
            times[name].append(timed(actions[name], number, None if name == "connect" else expected_of(number)))
    reader.close()
    loader.close()
    yardstick = [pipe_time + connect_time for pipe_time, connect_time in zip(times["pipe"], times["connect"])]
    return SmallDay(options.days, spread(times["pipe"]), spread(times["connect"]),
                    {method: spread(times[method]) for method in methods}, first,
                    {method: spread([ours / other for ours, other in zip(times[method], yardstick)])
                     for method in methods})
