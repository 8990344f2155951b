"""What `data_interval` may be: a day, a pair of times, or what the run of the DAG says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias

DataInterval: TypeAlias = str | date | Sequence[str | datetime] | None


@dataclass(frozen=True)
class Day:
    """The windows of the job that have a part of this day, of the job's time zone."""

    day: str


@dataclass(frozen=True)
class Exactly:
    """The time from start to end, whether it is a window or not. Times without an offset are of the job's time zone."""

    start: str
    end: str


@dataclass(frozen=True)
class EndedWithin:
    """The windows that ended after start and not after end; if both are the same, the last window that had ended."""

    start: str
    end: str


Request: TypeAlias = Day | Exactly | EndedWithin


def requested(data_interval: DataInterval, context: Mapping[str, Any]) -> Request:
    """Read the argument `data_interval`. None and an empty text mean the data interval of the run of the DAG."""
    if data_interval is None or data_interval == "":
        return _of_dag_run(context)
    if isinstance(data_interval, datetime):
        raise TypeError("data_interval is a time; pass a day, or a pair of times")
    if isinstance(data_interval, date):
        return Day(data_interval.isoformat())
    if isinstance(data_interval, str):
        if "/" not in data_interval:
            return Day(_checked_day(data_interval))
        data_interval = data_interval.split("/")
    if len(data_interval) != 2:
        raise ValueError(f"data_interval has {len(data_interval)} parts; pass a day, or a pair of times")
    start, end = (_checked_time(part) for part in data_interval)
    return Exactly(start, end)


def _of_dag_run(context: Mapping[str, Any]) -> EndedWithin:
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    if start is None or end is None:
        # Airflow 3: a run that was triggered without a logical date, or by an asset.
        start = end = context.get("logical_date") or getattr(context["dag_run"], "run_after", None)
    if start is None or end is None:
        raise ValueError("the run of the DAG has neither a data interval nor a date; pass data_interval")
    return EndedWithin(start.isoformat(), end.isoformat())


def _checked_day(text: str) -> str:
    try:
        return date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        raise ValueError(
            f"data_interval is {text!r}; pass a day such as '2018-07-29', or two times such as "
            "'2018-07-29T00:00Z/2018-07-29T12:00Z'"
        ) from None


def _checked_time(part: str | date) -> str:
    if isinstance(part, date):
        return part.isoformat()
    text = part.strip()
    return datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text).isoformat()


def has_offset(time: str) -> bool:
    """Whether a time has a UTC offset."""
    return datetime.fromisoformat(time).tzinfo is not None
