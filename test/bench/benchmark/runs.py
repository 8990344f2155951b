"""One run: the destination made ready, the client programs timed, the result checked."""

import resource
import subprocess
import tempfile
import time
from dataclasses import dataclass

from .processes import SAMPLE_SECONDS, BackendWatch


@dataclass(frozen=True)
class Run:
    """What one run took: seconds, CPU seconds, the peak of the destination backend's private memory in bytes, and the
    WAL of the destination in bytes."""
    seconds: float
    source_cpu: float
    destination_cpu: float
    client_cpu: float
    peak_bytes: int
    wal_bytes: int


class RunFailed(Exception):
    """A client program failed, or the rows that arrived are not those of the source."""


def run_pipeline(commands):
    """Start the programs, each reading what the one before writes; wait for all. Raises RunFailed."""
    with tempfile.TemporaryFile(mode="w+") as errors:
        processes = []
        feed = subprocess.DEVNULL
        for command in commands:
            last = command is commands[-1]
            process = subprocess.Popen(command, stdin=feed, stderr=errors,
                                       stdout=subprocess.DEVNULL if last else subprocess.PIPE)
            if processes:
                feed.close()
            feed = process.stdout
            processes.append(process)
        codes = [process.wait() for process in processes]
        if any(codes):
            errors.seek(0)
            raise RunFailed(errors.read().strip())


def client_cpu():
    """CPU seconds of all programs that were started here and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Runner:
    """Makes runs between the two servers; `postmasters` are those of the source and the destination."""

    def __init__(self, servers, postmasters):
        self.servers = servers
        self.source, self.destination = postmasters

    def run(self, table, commands, expected, sample_seconds=SAMPLE_SECONDS):
        """Empty the table, time the pipeline `commands`, compare count and checksum with `expected` (None: nothing
        arrives, nothing to compare). Raises RunFailed."""
        self.servers.reset(table)
        wal_before = self.servers.wal_bytes()
        with BackendWatch(self.source) as source, BackendWatch(self.destination, sample_seconds) as destination:
            cpu_before = client_cpu()
            start = time.perf_counter()
            run_pipeline(commands)
            seconds = time.perf_counter() - start
            cpu = client_cpu() - cpu_before
        wal = self.servers.wal_bytes() - wal_before
        if expected is not None:
            arrived = self.servers.checksum(self.servers.destination, table)
            if arrived != expected:
                raise RunFailed(f"{table}: count and checksum are {arrived} instead of {expected}")
        return Run(seconds, source.cpu_seconds, destination.cpu_seconds, cpu, destination.peak_bytes, wal)
