"""What can be asked for on the command line. As a program: only says whether the arguments are right, or --help."""

import argparse
import random

from .methods import METHODS, OURS
from .shapes import SHAPES

PARTS = ("speed", "small", "modes", "memory", "proof")

DESCRIPTION = """\
Measures pg_copy_incremental against a Python job, psql pipes, postgres_fdw and dblink, between two throwaway servers
with fsync and synchronous_commit on, over loopback TCP and scram. Every run is checked by count and checksum.
Without options it takes about 15 minutes on 2 cores, 20 at most; it wants a quiet machine.
A look in a minute:  make bench BENCH="--rounds 1 --rows 20000"
"""


def comma_list(allowed):
    """An argparse type: a list of allowed words, separated by commas."""
    def parse(text):
        words = text.split(",")
        for word in words:
            if word not in allowed:
                raise argparse.ArgumentTypeError(f"{word!r} is none of: {', '.join(allowed)}")
        return words
    return parse


def cases(text):
    """An argparse type: "narrow,narrow@20" as pairs (shape, delay in ms or None)."""
    pairs = []
    for word in text.split(","):
        shape, at, delay = word.partition("@")
        if shape not in SHAPES:
            raise argparse.ArgumentTypeError(f"{shape!r} is none of: {', '.join(SHAPES)}")
        pairs.append((shape, milliseconds(delay) if at else None))
    return pairs


def milliseconds(text):
    """An argparse type: a delay, 0 to 10000 ms."""
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 10000:
        raise argparse.ArgumentTypeError(f"{text!r} is no delay in milliseconds")
    return value


def positive(text):
    """An argparse type: an integer of 1 or more."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 or more")
    return int(text)


def positives(text):
    """An argparse type: a list of integers of 1 or more."""
    return [positive(word) for word in text.split(",")]


def rows(text):
    """An argparse type: "20000" for every shape, or "narrow=500000,wide=100000", as a dictionary by shape."""
    if "=" not in text:
        return {shape: positive(text) for shape in SHAPES}
    sizes = {}
    for word in text.split(","):
        shape, _, number = word.partition("=")
        if shape not in SHAPES:
            raise argparse.ArgumentTypeError(f"{shape!r} is none of: {', '.join(SHAPES)}")
        sizes[shape] = positive(number)
    return sizes


def parse_arguments(argv=None):
    """The options as a namespace; exits with a message on a wrong one. `cases` is a list of (shape, delay in ms)."""
    default_rows = ", ".join(f"{name}={shape.default_rows}" for name, shape in SHAPES.items())
    parser = argparse.ArgumentParser(prog="bench", description=DESCRIPTION,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=comma_list(PARTS), default=["speed", "small"],
                        help="speed: the table; small: a day of 1,000 rows; modes: each mode against SQL by hand, and "
                             "a backfill of small windows; memory: private memory by number and size "
                             "of rows, about 3 minutes; proof: verify and rejects beside the load, about 5 minutes "
                             "(default: speed,small)")
    parser.add_argument("--shapes", type=cases, dest="cases", default=cases("narrow,wide,narrow_pk,events,narrow@20"),
                        help=f"of {', '.join(SHAPES)}; with @MS through a round trip of that many milliseconds "
                             "(default: narrow,wide,narrow_pk,events,narrow@20)")
    parser.add_argument("--delay", type=milliseconds, default=0.0,
                        help="round trip to the source, in milliseconds, for shapes without @ and for a small day")
    parser.add_argument("--methods", type=comma_list(list(METHODS)), default=list(METHODS),
                        help=f"of {', '.join(METHODS)} (default: all; binary_pipe always runs, it is the yardstick)")
    parser.add_argument("--rounds", type=positive, default=7, help="rounds of all methods, shuffled (default: 7)")
    parser.add_argument("--python-rounds", type=positive, default=3,
                        help="the Python job is slow: it runs, in full, in so many of the rounds (default: 3)")
    parser.add_argument("--rows", type=rows, default={}, help=f"for all shapes, or by shape (default: {default_rows})")
    parser.add_argument("--batch", type=positive, default=2000, help="rows of a batch (default: 2000)")
    parser.add_argument("--days", type=positive, default=30, help="repetitions of the small day (default: 30)")
    parser.add_argument("--memory-rows", type=positives, default=[1, 10], metavar="MILLIONS",
                        help="millions of narrow rows of the memory runs (default: 1,10)")
    parser.add_argument("--memory-bytes", type=positive, default=10, metavar="MB",
                        help="size of each of 20 large rows of the memory runs, in MB (default: 10)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the shuffling")
    parser.add_argument("--output", default="bench-output",
                        help="folder for benchmark.md and benchmark.svg (default: bench-output; the kept ones: doc)")
    options = parser.parse_args(argv)

    options.rows = {name: options.rows.get(name, shape.default_rows) for name, shape in SHAPES.items()}
    options.cases = list(dict.fromkeys((shape, options.delay if delay is None else delay)
                                       for shape, delay in options.cases))
    if "binary_pipe" not in options.methods:
        options.methods = ["binary_pipe"] + options.methods
    options.our_methods = [name for name in options.methods if name in OURS]
    return options


if __name__ == "__main__":
    parse_arguments()
