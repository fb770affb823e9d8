"""A worker of an adaptive search, in a process that is killed; what it trains is planted."""

import io
from contextlib import suppress
from pathlib import Path

from planted_search import Planted

with suppress(ImportError):  # without Optuna its tests are skipped
    from unetdyn.sweeps import search_trials
    from unetdyn.sweeps.search import search as work


def search(path, tell, silent=None, storage=None):
    """The last worker need not wait ten minutes for those who were killed before they had said who they are."""
    if silent is not None:
        search_trials.SILENT = silent
    work(
        Path(path), storage=storage, stream=io.StringIO(), train=Planted(interrupt=lambda trained, epoch: tell("epoch"))
    )
