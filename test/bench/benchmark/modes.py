"""The modes part: each mode against the best SQL for the same that people write by hand, a binary COPY into a temporary
table and one statement from it; and a backfill of many small windows, by the number of workers."""

import random
from dataclasses import dataclass

from .measurements import spread
from .methods import call
from .proof import Timer
from .runs import RunFailed, run_pipeline
from .servers import LOADER, execute, foreign_server
from .shapes import NARROW_COLUMNS, SHAPES, Shape

TABLE = "moded"
DAYS, ROWS_OF_DAY = 366, 100
WORKERS = (1, 2, 4)
WINDOWS = Shape("days of 100 rows", DAYS * ROWS_OF_DAY, "id bigint, at timestamptz NOT NULL, note text",
                f"g, timestamptz '2024-01-01 00:00+00' + (g - 1) * interval '{86400 // ROWS_OF_DAY} seconds', 'note ' || g")


@dataclass(frozen=True)
class Mode:
    """`present` is a query of the rows that the target has before; `statement` reads them by hand from `fresh`."""
    title: str
    present: str
    arguments: str
    statement: str


COLUMNS = ("user_id", "created_at", "name", "email", "status", "amount", "is_active")
SET = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS)
UPSERT = (f"INSERT INTO {TABLE} AS t SELECT * FROM fresh ON CONFLICT (id) DO UPDATE SET {SET} "
          "WHERE (t.*) IS DISTINCT FROM (excluded.*)")
HALF = f"SELECT id, {', '.join(COLUMNS).replace('amount', 'amount + id % 4')} FROM all_rows WHERE id % 2 = 0"
MODES = (
    Mode("append, transform", "", ", transform => 'SELECT id, user_id, created_at, upper(name) AS name, email, status, amount, "
         "is_active FROM batch'",
         f"INSERT INTO {TABLE} SELECT id, user_id, created_at, upper(name), email, status, amount, is_active FROM fresh"),
    Mode("append, on_error => reject", "", ", on_error => 'reject'", f"INSERT INTO {TABLE} SELECT * FROM fresh"),
    Mode("skip, half of the rows are present", HALF, ", mode => 'skip'",
         f"INSERT INTO {TABLE} SELECT * FROM fresh ON CONFLICT (id) DO NOTHING"),
    Mode("upsert, no row is present", "", ", mode => 'upsert'", UPSERT),
    Mode("upsert, half of the rows are present, 3 of 4 of them differ", HALF, ", mode => 'upsert'", UPSERT),
    Mode("upsert, all rows are present and equal", "SELECT * FROM all_rows", ", mode => 'upsert'", UPSERT),
    Mode("replace", "SELECT * FROM all_rows", ", mode => 'replace'", f"DELETE FROM {TABLE}; INSERT INTO {TABLE} SELECT * FROM fresh"),
)


@dataclass(frozen=True)
class Modes:
    """`modes`: by mode the spreads of our seconds, of those by hand, and of by hand / ours in the same round. `windows`: by
    number of workers the spread of milliseconds a window."""
    modes: dict
    windows: dict


def by_hand(servers, mode):
    return [servers.psql(servers.reader(), "-c", f"COPY {TABLE} TO STDOUT (FORMAT binary)"),
            servers.psql(servers.loader(), "-1", "-c", f"CREATE TEMP TABLE fresh (LIKE {TABLE})", "-c",
                         "COPY fresh FROM STDIN (FORMAT binary)", "-c", mode.statement)]


def measure_modes(servers, options, shuffle):
    shape = SHAPES["narrow_pk"]
    rows = options.rows["narrow_pk"] // 5
    servers.create_table(TABLE, shape, shape.fill(TABLE, rows))
    execute(servers.destination, f"CREATE TABLE all_rows ({NARROW_COLUMNS})", f"INSERT INTO all_rows SELECT {shape.rows_query} FROM generate_series(1, {rows}) AS g")
    measured = {}
    for mode in MODES:
        timer = Timer(servers)
        ours = call(foreign_server(0), f"SELECT * FROM {TABLE}", options.batch, TABLE, "cursor", mode.arguments)
        turns = [("ours", [servers.psql(servers.loader(), "-c", ours)]), ("by hand", by_hand(servers, mode))]
        for _ in range(options.rounds):
            shuffle(turns)
            results = set()
            for name, commands in turns:
                servers.reset(TABLE)
                if mode.present:
                    execute(servers.destination, f"INSERT INTO {TABLE} {mode.present}", f"VACUUM ANALYZE {TABLE}", "CHECKPOINT")
                timer.time(name, commands)
                results.add(tuple(servers.checksum(servers.destination, TABLE)))
            if len(results) > 1:
                raise RunFailed(f"{mode.title}: other rows than by hand")
        seconds = timer.seconds
        measured[mode.title] = (spread(seconds["ours"]), spread(seconds["by hand"]),
                                spread([hand / own for own, hand in zip(seconds["ours"], seconds["by hand"])]))
        print(f"modes   {mode.title}", flush=True)
    return measured


def measure_windows(servers, options, shuffle):
    servers.create_table("windows", WINDOWS, WINDOWS.fill("windows", DAYS * ROWS_OF_DAY))
    execute(servers.source, "CREATE INDEX ON windows (at)", "ANALYZE windows")
    execute(servers.destination, f"SELECT copy_incremental_grant('{LOADER}')")
    run_pipeline([servers.psql(servers.loader(), "-c", f"SELECT copy_incremental_create_job('windows', '{foreign_server(0)}', "
                               "'SELECT * FROM windows', window_column => 'at', first_day => '2024-01-01', time_zone => 'UTC')")])
    timer = Timer(servers)
    turns = list(WORKERS)
    for _ in range(options.rounds):
        shuffle(turns)
        for workers in turns:
            servers.reset("windows")
            timer.run(workers, f"CALL copy_incremental_backfill('windows', '2024-01-01', date '2024-01-01' + {DAYS - 1}, workers => {workers})",
                      f"SELECT count(*) = {DAYS * ROWS_OF_DAY} FROM windows")
    return {workers: spread([taken * 1000 / DAYS for taken in timer.seconds[workers]]) for workers in WORKERS}


def measure(servers, options):
    """Returns Modes. Raises RunFailed on a run that is wrong."""
    shuffle = random.Random(options.seed).shuffle
    modes = measure_modes(servers, options, shuffle)
    return Modes(modes, measure_windows(servers, options, shuffle))
