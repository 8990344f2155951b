"""The proof part: what verify costs beside the load, repair beside a replace, and what rows that are put aside cost."""

import random
import time
from dataclasses import dataclass

from .measurements import spread
from .methods import call
from .runs import RunFailed, run_pipeline
from .servers import LOADER, execute, foreign_server, query
from .shapes import SHAPES, Shape

VERIFIED_SHAPES = ("narrow", "wide")
ROWS = 100_000
BAD_ROWS = 10
ORDERS = Shape("orders", ROWS, "id bigint, code text, amount numeric, mood mood",
               "g, 'c' || g % 100, g / 7.0, (ARRAY['sad', 'happy'])[1 + g % 2]::mood")


@dataclass(frozen=True)
class BadRows:
    """A target that refuses rows: ALTER TABLE's action, and the assignment that spoils a row at the source."""
    title: str
    target: str
    spoil: str


KINDS = (
    BadRows("text that an enum does not have", "ALTER mood SET NOT NULL", "mood = 'angry'"),
    BadRows("a number out of range", "ALTER amount TYPE numeric(12,2)", "amount = 1e12"),
    BadRows("NOT NULL", "ALTER code SET NOT NULL", "code = NULL"),
    BadRows("CHECK", "ADD CHECK (amount > 0)", "amount = -amount"),
    BadRows("PRIMARY KEY", "ADD PRIMARY KEY (id)", "id = 1"),
    BadRows("foreign key", "ADD FOREIGN KEY (code) REFERENCES codes", "code = 'other'"),
    BadRows("trigger", "ENABLE TRIGGER refuse", "amount = -amount"),
)


@dataclass(frozen=True)
class Proof:
    """Spreads of seconds, and of their ratios to the load of the same round. `verified` is by shape and action,
    `repaired` by action with the dead tuples of the last round, `rejected` by kind of bad rows."""
    verified: dict
    repaired: dict
    rejected: dict


def load(options, target, source_table, more=""):
    return call(foreign_server(0), f"SELECT * FROM {source_table}", options.batch, target, "cursor", more)


class Timer:
    """Times calls in rounds, each in a session of its own, and keeps them by name."""

    def __init__(self, servers):
        self.servers = servers
        self.seconds = {}

    def run(self, name, statement, check=None):
        """Raises RunFailed when `check`, a query, does not give a true value afterwards."""
        self.time(name, [self.servers.psql(self.servers.loader(), "-c", statement)])
        if check and not query(self.servers.destination, check)[0]:
            raise RunFailed(f"{name}: {check} is not true")

    def time(self, name, commands):
        """Times a pipeline of programs."""
        start = time.perf_counter()
        run_pipeline(commands)
        self.seconds.setdefault(name, []).append(time.perf_counter() - start)

    def ratios(self, first="load"):
        """(seconds, ratio to the load of the same round) by name, as spreads; the load comes first."""
        base = self.seconds[first]
        return {name: (spread(taken), spread([own / other for own, other in zip(taken, base)]))
                for name, taken in sorted(self.seconds.items(), key=lambda item: (item[0] != first, item[0]))}


def measure_verify(servers, options, shape, shuffle):
    """The load, verify of what it has left, and a load with verify => true, by turns."""
    table = f"verified_{shape}"
    servers.create_table(table, SHAPES[shape], SHAPES[shape].fill(table, options.rows[shape]))
    timer = Timer(servers)
    full = f"SELECT count(*) = {options.rows[shape]} FROM {table}"
    # A job with one window, that has all rows.
    run_pipeline([servers.psql(servers.loader(), "-c", f"SELECT copy_incremental_create_job('{table}', '{foreign_server(0)}', "
                               f"'SELECT * FROM {table}', window_column => 'created_at', first_day => '2018-07-01', "
                               "window_size => '1 month', time_zone => 'UTC')")])

    def load_and_verify():
        servers.reset(table)
        timer.run("load", load(options, table, table), full)
        timer.run("verify", f"SELECT 1 / (matches AND source_rows = {options.rows[shape]})::int "
                            f"FROM copy_incremental_verify('{table}', '2018-07-01')")

    def verified_load():
        servers.reset(table)
        timer.run("load with verify => true", load(options, table, table, ", verify => true"), full)

    for _ in range(options.rounds):
        turns = [load_and_verify, verified_load]
        shuffle(turns)
        for turn in turns:
            turn()
    return timer.ratios()


def measure_repair(servers, options, shuffle):
    """A window of which 0.1 % of the rows differ: a replace and a repair of it, by turns, and a repair of equal rows."""
    table = "repaired"
    servers.create_table(table, SHAPES["narrow_pk"], SHAPES["narrow_pk"].fill(table, options.rows["narrow_pk"]))
    execute(servers.destination, f"SELECT copy_incremental_forget('{table}', NULL, NULL)")
    run_pipeline([servers.psql(servers.loader(), "-c", f"SELECT copy_incremental_create_job('{table}', '{foreign_server(0)}', "
                               f"'SELECT * FROM {table}', window_column => 'created_at', first_day => '2018-07-01', "
                               "mode => 'replace', window_size => '1 month', time_zone => 'UTC')")])
    replace = f"SELECT copy_incremental_run('{table}', '2018-07-01')"
    repair = f"SELECT 1 / (compared = {options.rows['narrow_pk']})::int FROM copy_incremental_repair('{table}', '2018-07-01', '2018-07-01')"
    run_pipeline([servers.psql(servers.loader(), "-c", replace)])
    different = f"UPDATE {table} SET amount = amount + 1 WHERE id % 1000 = 7"
    full = f"SELECT count(*) = {options.rows['narrow_pk']} FROM {table}"
    turns = [("replace", replace, different), ("repair, 0.1 % differ", repair, different), ("repair, equal", repair, "SELECT 1")]
    timer = Timer(servers)
    dead = {}
    for _ in range(options.rounds):
        shuffle(turns)
        for name, statement, before in turns:
            execute(servers.destination, before, f"VACUUM (FULL, FREEZE, ANALYZE) {table}", f"VACUUM {table}", "CHECKPOINT")
            timer.run(name, statement, full)
            dead[name] = query(servers.destination, f"SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = '{table}'")[0]
    return {name: measured + (dead[name],) for name, measured in timer.ratios("replace").items()}


def create_orders(servers):
    execute(servers.source, "CREATE TYPE mood AS ENUM ('sad', 'happy', 'angry')")
    execute(servers.destination, "CREATE TYPE mood AS ENUM ('sad', 'happy')", "CREATE TABLE codes (code text PRIMARY KEY)",
            "INSERT INTO codes SELECT 'c' || g FROM generate_series(0, 99) AS g", "GRANT SELECT ON codes TO PUBLIC",
            f"ALTER TABLE codes OWNER TO {LOADER}",
            """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
               BEGIN IF NEW.amount < 0 THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$""")
    servers.create_table("orders", ORDERS, ORDERS.fill("orders", ROWS))


def measure_rejects(servers, options, kind, shuffle):
    """The load of a clean day, the same with on_error => 'reject', and that with bad rows, into the same target."""
    execute(servers.source, "DROP TABLE IF EXISTS spoilt", "CREATE TABLE spoilt AS TABLE orders",
            f"UPDATE spoilt SET {kind.spoil} WHERE id % {ROWS // BAD_ROWS} = {ROWS // BAD_ROWS // 2}",
            "GRANT SELECT ON spoilt TO PUBLIC", "VACUUM (FREEZE, ANALYZE) spoilt")
    execute(servers.destination, "DROP TABLE orders", ORDERS.definition("orders"), f"ALTER TABLE orders OWNER TO {LOADER}",
            "CREATE TRIGGER refuse BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION refuse()",
            "ALTER TABLE orders DISABLE TRIGGER refuse", f"ALTER TABLE orders {kind.target}")
    timer = Timer(servers)
    loaded = "SELECT count(*) = {} FROM orders"
    rejected = ("SELECT count(*) = {} FROM copy_incremental_rejects WHERE run_id = "
                "(SELECT max(run_id) FROM copy_incremental_runs)")
    turns = [("load", "orders", "", ROWS), ("reject, clean", "orders", ", on_error => 'reject'", ROWS),
             ("reject, 10 bad rows", "spoilt", ", on_error => 'reject'", ROWS - BAD_ROWS)]
    for _ in range(options.rounds):
        shuffle(turns)
        for name, table, arguments, rows in turns:
            servers.reset("orders")
            timer.run(name, load(options, "orders", table, arguments), loaded.format(rows))
            if not query(servers.destination, rejected.format(ROWS - rows))[0]:
                raise RunFailed(f"{kind.title}: {name}: other rejects than {ROWS - rows}")
    return timer.ratios()


def measure(servers, options):
    """Returns Proof. Raises RunFailed on a run that is wrong."""
    execute(servers.destination, f"SELECT copy_incremental_grant('{LOADER}')")
    shuffle = random.Random(options.seed).shuffle
    verified = {}
    for shape in VERIFIED_SHAPES:
        verified[shape] = measure_verify(servers, options, shape, shuffle)
        print(f"proof   {shape}: verified", flush=True)
    repaired = measure_repair(servers, options, shuffle)
    print("proof   repaired", flush=True)
    create_orders(servers)
    rejected = {}
    for kind in KINDS:
        rejected[kind] = measure_rejects(servers, options, kind, shuffle)
        print(f"proof   bad rows, {kind.title}: put aside", flush=True)
    return Proof(verified, repaired, rejected)
