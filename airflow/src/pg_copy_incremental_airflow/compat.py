"""The names of Airflow that Airflow 2 and Airflow 3 have in different modules."""

from __future__ import annotations

try:
    from airflow.sdk import BaseOperator, BaseSensorOperator
except ImportError:  # Airflow 2
    from airflow.models import BaseOperator
    from airflow.sensors.base import BaseSensorOperator  # type: ignore[import-not-found,no-redef]

try:
    from airflow.sdk.exceptions import AirflowException, AirflowSkipException, AirflowTaskTimeout
except ImportError:  # before Airflow 3.2
    from airflow.exceptions import (  # type: ignore[attr-defined,no-redef]
        AirflowException,
        AirflowSkipException,
        AirflowTaskTimeout,
    )

__all__ = ["AirflowException", "AirflowSkipException", "AirflowTaskTimeout", "BaseOperator", "BaseSensorOperator"]
