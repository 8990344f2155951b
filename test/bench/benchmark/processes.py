"""What /proc knows of a server's backends: CPU seconds and private memory."""

import os
import threading
import time

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
SAMPLE_SECONDS = 0.02


class Postmaster:
    """A server's first process, whose children are its backends."""

    def __init__(self, data_folder):
        with open(f"{data_folder}/postmaster.pid", encoding="ascii") as pid_file:
            self.pid = int(pid_file.readline())

    def children(self):
        """Pids of the processes that it has now, as a set."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as children:
            return set(map(int, children.read().split()))

    def finished_cpu(self):
        """CPU seconds (utime and stime) of all its children that have ended."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / TICKS_PER_SECOND  # cutime, cstime

    def wait_for(self, children, seconds=30):
        """Wait until it has no other children than these. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while self.children() - children:
            if time.monotonic() > deadline:
                raise TimeoutError(f"a backend of the server {self.pid} does not end")
            time.sleep(0.002)


def private_bytes(pid):
    """Anonymous resident memory of a process: no shared buffers, no program code. 0 if it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


class BackendWatch:
    """Within `with`: the CPU seconds of the backends that begin and end there, and, sampled, the largest private
    memory of one of them. `others` are the children that were there before."""

    def __init__(self, postmaster, seconds=SAMPLE_SECONDS):
        self.postmaster = postmaster
        self.seconds = seconds
        self.cpu_seconds = 0.0
        self.peak_bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self):
        self.others = self.postmaster.children()
        self._cpu_before = self.postmaster.finished_cpu()
        self._thread.start()
        return self

    def _sample(self):
        while not self._stop.wait(self.seconds):
            for pid in self.postmaster.children() - self.others:
                self.peak_bytes = max(self.peak_bytes, private_bytes(pid))

    def __exit__(self, *error):
        self._stop.set()
        self._thread.join()
        self.postmaster.wait_for(self.others)
        self.cpu_seconds = self.postmaster.finished_cpu() - self._cpu_before
