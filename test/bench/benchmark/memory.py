"""The memory part: peak private memory of the destination backend by number of rows and with large rows."""

from dataclasses import dataclass

from .methods import call
from .runs import Run
from .servers import foreign_server
from .shapes import SHAPES, Shape
from .speed import refusal

MILLION = 1_000_000
LARGE_ROWS = 20
SAMPLE_SECONDS = 0.005


@dataclass(frozen=True)
class MemoryRun:
    """One method over `rows` rows called `what`."""
    what: str
    rows: int
    method: str
    run: Run


def measure(servers, runner, options):
    """Returns a list of MemoryRun. Raises RunFailed."""
    results = []

    def run(what, table, method, template, expected):
        sql = call(foreign_server(0), template, options.batch, table, method)
        taken = runner.run(table, [servers.psql(servers.loader(), "-c", sql)], expected, SAMPLE_SECONDS)
        print(f"memory  {what}, {expected[0]} rows, {method}: peak {taken.peak_bytes / 1e6:.1f} MB", flush=True)
        results.append(MemoryRun(what, expected[0], method, taken))

    narrow = SHAPES["narrow"]
    count, checksum = servers.create_table("million", narrow, narrow.fill("million", MILLION))
    large = Shape("large rows", LARGE_ROWS, "id bigint, value bytea",
                  f"g, convert_to(repeat(md5(g::text), {options.memory_bytes * MILLION // 32}), 'UTF8')")
    large_expected = servers.create_table("large", large, large.fill("large", LARGE_ROWS))
    for method in options.our_methods:
        if refusal(servers, "million", method, options.batch) is not None:
            continue
        for millions in options.memory_rows:
            run("narrow", "million", method, f"SELECT m.* FROM million AS m CROSS JOIN generate_series(1, {millions})",
                (count * millions, checksum * millions))
        run(f"{options.memory_bytes} MB each", "large", method, "SELECT * FROM large", large_expected)
    return results
