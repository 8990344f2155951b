"""The speed part: every method and shape, interleaved in shuffled rounds."""

import random
from dataclasses import dataclass

import psycopg2

from .measurements import Measurements
from .methods import METHODS, Copy, call
from .runs import RunFailed
from .servers import foreign_server
from .shapes import SHAPES

NOT_SUPPORTED = "0A000"


@dataclass(frozen=True)
class Case:
    """A shape over a round trip, in ms."""
    shape: str
    delay: float

    def __str__(self):
        return self.shape if self.delay == 0 else f"{self.shape}, {self.delay:g} ms"


def set_up(servers, options):
    """Create and fill the tables; returns the count and checksum by shape."""
    expected = {}
    for shape in dict.fromkeys(shape for shape, _ in options.cases):
        expected[shape] = servers.create_table(shape, SHAPES[shape], SHAPES[shape].fill(shape, options.rows[shape]))
        servers.create_foreign_tables(shape)
        size = servers.write_binary_file(shape)
        print(f"{shape}: {options.rows[shape]} rows, {size / options.rows[shape]:.0f} bytes a row in binary COPY",
              flush=True)
    return expected


def refusal(servers, table, method, batch):
    """The message with which the extension refuses a method as not supported (0A000), or None. Asked with no rows."""
    servers.reset(table)
    connection = psycopg2.connect(servers.loader())
    try:
        with connection.cursor() as cursor:
            cursor.execute(call(foreign_server(0), f"SELECT * FROM {table} WHERE false", batch, table, method))
    except psycopg2.Error as error:
        if error.pgcode != NOT_SUPPORTED:
            raise
        return error.diag.message_primary
    finally:
        connection.close()
    return None


def measure(servers, runner, options):
    """All rounds; returns Measurements. Raises RunFailed on a run that is wrong."""
    expected = set_up(servers, options)
    cases = [Case(shape, delay) for shape, delay in options.cases]
    results = Measurements(cases, options.methods)
    contenders = {}
    for case in cases:
        for method in options.our_methods:
            message = refusal(servers, case.shape, method, options.batch)
            if message is not None:
                print(f"{case}: method {method}: not supported: {message}", flush=True)
                results.not_supported.add((case, method))
        contenders[case] = [method for method in options.methods if (case, method) not in results.not_supported
                            and (METHODS[method].delays or not case.delay)]

    shuffle = random.Random(options.seed).shuffle
    for number in range(1, options.rounds + 1):
        shuffle(cases)
        for case in cases:
            methods = [method for method in contenders[case]
                       if method != "python_job" or number <= options.python_rounds]
            shuffle(methods)
            for method in methods:
                commands = METHODS[method].commands(servers, Copy(case.shape, case.delay, options.batch))
                try:
                    run = runner.run(case.shape, commands, expected[case.shape] if METHODS[method].fills else None)
                except RunFailed as error:
                    raise RunFailed(f"{case}, {method}, round {number}: {error}") from error
                results.add(case, method, number, run)
                print(f"round {number}  {case!s:18} {method:18} {run.seconds:7.3f} s  CPU: destination "
                      f"{run.destination_cpu:.2f}, source {run.source_cpu:.2f}, clients {run.client_cpu:.2f}  "
                      f"memory {run.peak_bytes / 1e6:.1f} MB", flush=True)
    return results
