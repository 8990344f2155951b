"""Airflow operators, a sensor and triggers for the PostgreSQL extension pg_copy_incremental."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pg_copy_incremental_airflow.catch_up import CopyIncrementalCatchUpOperator
    from pg_copy_incremental_airflow.job import CopyIncrementalCreateJobOperator, CopyIncrementalJobsOperator, jobs
    from pg_copy_incremental_airflow.operator import CopyIncrementalOperator
    from pg_copy_incremental_airflow.sensor import CopyIncrementalWindowSensor

_MODULES = {
    "CopyIncrementalCatchUpOperator": "catch_up",
    "CopyIncrementalCreateJobOperator": "job",
    "CopyIncrementalJobsOperator": "job",
    "CopyIncrementalOperator": "operator",
    "CopyIncrementalWindowSensor": "sensor",
    "jobs": "job",
}

__all__ = [
    "CopyIncrementalCatchUpOperator",
    "CopyIncrementalCreateJobOperator",
    "CopyIncrementalJobsOperator",
    "CopyIncrementalOperator",
    "CopyIncrementalWindowSensor",
    "get_provider_info",
    "jobs",
]


def __getattr__(name: str) -> Any:
    """Import an operator when it is used, because Airflow reads get_provider_info() before it can import operators."""
    if name not in _MODULES:
        raise AttributeError(name)
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def get_provider_info() -> dict[str, Any]:
    """Describe the package to Airflow."""
    name = "pg_copy_incremental"
    return {
        "package-name": "airflow-provider-pg-copy-incremental",
        "name": name,
        "description": "Copies windows of rows between PostgreSQL servers with the extension pg_copy_incremental.",
        "integrations": [{"integration-name": name, "tags": ["software"]}],
        "operators": [
            {"integration-name": name, "python-modules": [f"{__name__}.{m}" for m in ("operator", "catch_up", "job")]}
        ],
        "sensors": [{"integration-name": name, "python-modules": [f"{__name__}.sensor"]}],
        "triggers": [{"integration-name": name, "python-modules": [f"{__name__}.triggers"]}],
    }
