"""Results as dictionaries, lists and numbers, which JSON can hold."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from unetdyn.analysis.comparison.run_table import RunTable
from unetdyn.analysis.comparison.summary import RunSummary

_OF_A_RUN = ("performance", "final", "stability", "epochs", "seconds", "ill", "factors")


def plain(value: Any) -> Any:
    """A result without its classes: attributes by name, and runs by theirs where the table has their numbers.

    >>> from unetdyn.analysis.comparison.slopes import Slope
    >>> plain({"rate": Slope(0.1, 0.05, 0.15)})
    {'rate': {'estimate': 0.1, 'low': 0.05, 'high': 0.15, 'reason': ''}}
    """
    if isinstance(value, RunTable):
        kept = ("name", "planned", "factors", "blocks", "constant", "absent", "sampled", "places", "notes")
        runs = {run.name: {key: plain(getattr(run, key)) for key in _OF_A_RUN} for run in value.runs}
        return {**{key: plain(getattr(value, key)) for key in kept}, "runs": runs}
    if isinstance(value, RunSummary):
        return value.name
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {_key(key): plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    return value


def _key(key: Any) -> str:
    return " × ".join(map(str, key)) if isinstance(key, tuple) else str(key)
