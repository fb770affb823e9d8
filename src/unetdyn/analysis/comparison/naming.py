"""What several runs are called where they come without names."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def names_of_files(runs: Sequence[Any]) -> list[tuple[str | None, Any]]:
    """Each run with `folder/name` where it is one of several files or folders of one name, otherwise with None.

    >>> [name for name, _ in names_of_files(["first/log.csv", "second/log.csv", "third.csv"])]
    ['first/log.csv', 'second/log.csv', None]
    """
    paths = [Path(run).absolute() if isinstance(run, str | os.PathLike) else None for run in runs]
    often = Counter(path.name for path in paths if path)
    names = [f"{path.parent.name}/{path.name}" if path and often[path.name] > 1 else None for path in paths]
    return list(zip(names, runs, strict=True))


def is_history(runs: Any) -> bool:
    """Whether it is one run's values by name, not several runs by name.

    >>> is_history({"loss": [0.5, 0.4]}), is_history({"first": {"loss": [0.5, 0.4]}})
    (True, False)
    """
    return isinstance(runs, Mapping) and any(isinstance(value, list | tuple | np.ndarray) for value in runs.values())
