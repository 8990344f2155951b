"""The report as Markdown: what was measured where, and its tables."""

from dataclasses import dataclass

from .methods import METHODS
from .shapes import SHAPES

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Conditions:
    """Where it was measured; `links` has the round trip in ms and the MB a second as measured, by delay."""
    day: str
    machine: str
    postgresql: str
    extension: str
    idle_bytes: int
    links: dict


def table(head, rows):
    """A Markdown table; the first column to the left, numbers to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def factor(spread):
    """"0.83 (0.79 to 0.90)", without the spread if there is none."""
    if spread is None:
        return ""
    return f"{spread.median:.2f}" + (f" ({spread.low:.2f} to {spread.high:.2f})" if spread.low < spread.high else "")


def by_method(measured, cell, methods=None):
    """A table with a row for each method and a column for each case; cell(case, method) is its text."""
    def text(case, method):
        return "not supported" if (case, method) in measured.not_supported else cell(case, method)
    rows = [[METHODS[method].title] + [text(case, method) for case in measured.cases]
            for method in methods or measured.measured_methods()]
    return table([""] + [str(case) for case in measured.cases], rows)


def conditions_text(options, where):
    rounds = f"Rounds: {options.rounds}, shuffled with seed {options.seed}"
    if "python_job" in options.methods and options.python_rounds < options.rounds:
        rounds += f"; the Python job ran in {options.python_rounds} of them"
    shapes = dict.fromkeys(shape for shape, _ in options.cases)
    sizes = ", ".join(f"{shape} ({SHAPES[shape].title}) {options.rows[shape]:,}" for shape in shapes)
    links = "".join(f" A proxy adds a round trip of {delay:g} ms: {round_trip:.1f} ms and {rate:.0f} MB/s were "
                    f"measured with it, and {where.links[0][1]:.0f} MB/s without it." for delay, (round_trip, rate)
                    in where.links.items() if delay)
    return (f"Measured on {where.day} with version {where.extension} on PostgreSQL {where.postgresql}, "
            f"{where.machine}: source and destination on one machine, over loopback TCP and scram, fsync and "
            f"synchronous_commit on. Rows: {sizes}. Batch {options.batch:,}. {rounds}.{links}\n\n"
            f"Before each run, the target is emptied and a CHECKPOINT is executed. After it, the count and checksum of "
            f"the rows are compared with those of the source. The time of a run is from the start of its client "
            f"programs to their end. Ratios compare runs of the same round: median (smallest to largest). The limits "
            f"do not include a round trip. `make bench` writes this page.")


def speed_text(measured):
    """Sections: speed, seconds, ratios to two peers, CPU, memory, WAL."""
    methods = measured.measured_methods()
    missing = [METHODS[method].title for method in measured.methods if method not in methods]
    sections = [
        "## Speed relative to a binary COPY pipe\n\n![chart](benchmark.svg)\n\n"
        + by_method(measured, lambda case, method: factor(measured.ratio(case, method)))
        + (f"\n\nNot supported by this version: {'; '.join(missing)}." if missing else ""),
        "## Seconds\n\n" + by_method(measured, lambda case, method: seconds(measured.spread(case, method, "seconds"))),
    ]
    ours = [method for method in methods if METHODS[method].kind == "ours"]
    for yardstick in ("python_job", "postgres_fdw"):
        if ours and yardstick in methods:
            sections.append(f"## Speed relative to: {METHODS[yardstick].title}\n\n" + by_method(
                measured, lambda case, method, by=yardstick: factor(measured.ratio(case, method, by)), ours))
    sections.append("## CPU seconds: destination + source + clients\n\n"
                    "Of the backends and the client programs; medians.\n\n"
                    + by_method(measured, lambda case, method: cpu(measured, case, method)))
    sections.append(
        "## Private memory of the destination's backend, MB\n\nAnonymous resident memory: the maximum of a round, "
        "sampled every 20 ms; median of the rounds.\n\n"
        + by_method(measured, lambda case, method: memory(measured.spread(case, method, "peak_bytes")),
                    [method for method in methods if METHODS[method].fills]))
    sections.append("## WAL of the destination, MB\n\nMedians.\n\n" + by_method(
        measured, lambda case, method: memory(measured.spread(case, method, "wal_bytes")),
        [method for method in methods if METHODS[method].fills]))
    return sections


def seconds(spread):
    return f"{spread.median:.2f}" if spread else ""


def cpu(measured, case, method):
    spreads = [measured.spread(case, method, name) for name in ("destination_cpu", "source_cpu", "client_cpu")]
    return " + ".join(f"{spread.median:.2f}" for spread in spreads) if spreads[0] else ""


def memory(spread):
    return f"{spread.median / MEGABYTE:.1f}" if spread else ""


def small_text(options, small):
    rows = [["psql pipe, sessions open", milliseconds(small.pipe), "", ""],
            ["one connect to the source", milliseconds(small.connect), "", ""]]
    rows += [[METHODS[method].title, milliseconds(small.ours[method]), f"{small.first[method]:.1f}",
              factor(small.ratio[method])] for method in small.ours]
    where = f" The source is a round trip of {options.delay:g} ms away." if options.delay else ""
    return (f"## A small day: 1,000 rows, milliseconds\n\n{small.days} days. The ratio divides the time of a call in "
            f"an open session by the time of a pipe between two open psql sessions plus one connect. A ratio below 1 is "
            f"faster.{where}\n\n"
            + table(["", "time", "first call of a session", "ratio"], rows))


def milliseconds(spread):
    return f"{spread.median:.1f} ({spread.low:.1f} to {spread.high:.1f})"


def memory_text(where, used):
    rows = [[METHODS[entry.method].title, entry.what, f"{entry.rows:,}", f"{entry.run.peak_bytes / MEGABYTE:.1f}",
             f"{entry.run.seconds:.1f}"] for entry in used]
    return (f"## Memory by number and size of rows\n\nMaximum of the destination's backend, sampled every 5 ms. An "
            f"idle backend has {where.idle_bytes / MEGABYTE:.1f} MB.\n\n"
            + table(["", "rows", "number", "peak MB", "seconds"], rows))


def proof_text(options, proved):
    verified = [[f"{shape}, {options.rows[shape]:,} rows", action, f"{seconds.median:.2f}", factor(ratio)]
                for shape, actions in proved.verified.items() for action, (seconds, ratio) in actions.items()]
    repaired = [[action, f"{seconds.median:.2f}", factor(ratio), f"{dead:,}"]
                for action, (seconds, ratio, dead) in proved.repaired.items()]
    rejected = [[kind.title] + [f"{actions['load'][0].median:.2f}"]
                + [factor(actions[name][1]) for name in actions if name != "load"]
                for kind, actions in proved.rejected.items()]
    names = [name for name in next(iter(proved.rejected.values())) if name != "load"]
    return ("## Verify, repair and rejects\n\nMethod cursor. Seconds, and their ratio to the load of the same "
            "round.\n\n" + table(["", "", "seconds", "ratio"], verified) + "\n\n"
            f"A window of {options.rows['narrow_pk']:,} rows with a primary key, of which 0.1 % differ: seconds, their ratio to a "
            "replace of the same, and the dead tuples that are left.\n\n"
            + table(["", "seconds", "ratio", "dead tuples"], repaired) + "\n\n"
            "A day of 100,000 rows into a target that refuses some of them, by the cause: seconds of a load without bad "
            "rows, and ratios to it.\n\n" + table(["", "load"] + names, rejected))


def modes_text(options, modes):
    rows = [[title, f"{ours.median:.2f}", f"{hand.median:.2f}", factor(ratio)] for title, (ours, hand, ratio) in modes.modes.items()]
    windows = [[f"{workers}", milliseconds(taken)] for workers, taken in modes.windows.items()]
    return (f"## Modes\n\n{options.rows['narrow_pk'] // 5:,} narrow rows with a primary key. By hand: in one transaction, a "
            "binary COPY pipe into a temporary table, then one statement that writes to the target. The ratio is by hand / "
            "ours; above 1 is faster.\n\n"
            + table(["", "seconds", "by hand", "ratio"], rows) + "\n\n"
            "## Small windows\n\nA backfill of 366 days of 100 rows, milliseconds a window.\n\n"
            + table(["workers", "milliseconds"], windows))


def markdown(options, where, measured, small, used, modes, proved):
    """The whole page; a part that was not measured is None."""
    sections = ["# Benchmark", conditions_text(options, where)]
    if measured:
        sections += speed_text(measured)
    if small:
        sections.append(small_text(options, small))
    if modes:
        sections.append(modes_text(options, modes))
    if used:
        sections.append(memory_text(where, used))
    if proved:
        sections.append(proof_text(options, proved))
    return "\n\n".join(sections) + "\n"
