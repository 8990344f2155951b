"""The runs of the speed part, and what is computed from them: medians and ratios that are paired by round."""

import statistics
from dataclasses import dataclass

from .methods import YARDSTICK


@dataclass(frozen=True)
class Spread:
    """A median with the smallest and the largest value."""
    median: float
    low: float
    high: float


def spread(values):
    """Spread of a list; None of an empty one."""
    return Spread(statistics.median(values), min(values), max(values)) if values else None


class Measurements:
    """Runs by case, method and round, and which methods the extension refuses in which case."""

    def __init__(self, cases, methods):
        self.cases = list(cases)  # in the order that was asked for
        self.methods = list(methods)
        self.not_supported = set()  # of (case, method)
        self._runs = {}

    def add(self, case, method, number, run):
        self._runs.setdefault((case, method), {})[number] = run

    def runs(self, case, method):
        """Its runs by number of the round."""
        return self._runs.get((case, method), {})

    def measured_methods(self):
        """The methods that ran in any case, in the order that was asked for."""
        return [method for method in self.methods if any(self.runs(case, method) for case in self.cases)]

    def ratio(self, case, method, yardstick=YARDSTICK):
        """How many times as fast as the yardstick, over the rounds that have both; None without such a round."""
        runs, others = self.runs(case, method), self.runs(case, yardstick)
        return spread([others[number].seconds / runs[number].seconds for number in runs if number in others])

    def spread(self, case, method, attribute):
        """Spread of an attribute of the runs; None without a run."""
        return spread([getattr(run, attribute) for run in self.runs(case, method).values()])
