"""The benchmark, once its two servers are up: measures, checks, prints and writes the report."""

import os
import statistics
import sys
import time

import psycopg2

from . import memory, modes, proof, small_day, speed
from .chart import chart
from .options import parse_arguments
from .processes import Postmaster, private_bytes
from .report import Conditions, markdown
from .runs import RunFailed, Runner, run_pipeline
from .servers import Servers, query


def proxy_rate(servers, delay):
    """Round trip in ms and MB a second through the proxy, as measured with a COPY that nobody but psql reads."""
    statement = "COPY (SELECT repeat('x', 8000) FROM generate_series(1, 60000)) TO STDOUT"
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        run_pipeline([servers.psql(servers.reader(delay), "-c", statement)])
        seconds.append(time.perf_counter() - start)
    return servers.round_trip(delay), 480 / statistics.median(seconds)


def conditions(servers, options):
    """Where and how it was measured."""
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        names = [line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")]
    version = query(servers.destination, "SHOW server_version")[0].split()[0]
    extension = query(servers.destination, "SELECT extversion FROM pg_extension "
                                           "WHERE extname = 'pg_copy_incremental'")[0]
    session = psycopg2.connect(servers.loader())
    idle = private_bytes(session.info.backend_pid)
    session.close()
    return Conditions(time.strftime("%Y-%m-%d", time.gmtime()), f"{os.cpu_count()} x {names[0] if names else 'CPU'}",
                      version, extension, idle, {delay: proxy_rate(servers, delay) for delay in servers.ports})


def main():
    options = parse_arguments()
    print(f"seed {options.seed}", flush=True)
    servers = Servers(options.batch)
    try:
        servers.create_roles()
        for delay in {delay for _, delay in options.cases} | {options.delay}:
            servers.add_delay(delay)
        where = conditions(servers, options)
        for delay, (round_trip, rate) in where.links.items():
            print(f"way to the source at {delay:g} ms: round trip {round_trip:.2f} ms, {rate:.0f} MB/s")
        runner = Runner(servers, [Postmaster(f"{servers.work}/run/{name}") for name in ("source", "destination")])

        measured = speed.measure(servers, runner, options) if "speed" in options.parts else None
        small = small_day.measure(servers, options) if "small" in options.parts else None
        used = memory.measure(servers, runner, options) if "memory" in options.parts else None
        by_mode = modes.measure(servers, options) if "modes" in options.parts else None
        proved = proof.measure(servers, options) if "proof" in options.parts else None
    except RunFailed as error:
        sys.exit(f"bench: {error}")
    finally:
        servers.close()

    text = markdown(options, where, measured, small, used, by_mode, proved)
    os.makedirs(options.output, exist_ok=True)
    write(f"{options.output}/benchmark.md", text)
    if measured:
        write(f"{options.output}/benchmark.svg", chart(measured))
    print(f"\n{text}\nwritten to {options.output}/")


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
