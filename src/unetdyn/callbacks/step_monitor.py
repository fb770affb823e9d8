"""The base of monitors that measure in every training step."""

from unetdyn.callbacks.monitor import Monitor
from unetdyn.callbacks.step_reader import StepReader
from unetdyn.dynamics import Probe


class StepMonitor(StepReader, Monitor):
    """A monitor at the optimizer: it measures every step, and reads the measurements once an epoch.

    A subclass says in `_empty_record` what it records and in `_measure` how it makes it from the steps' rows; with
    `probe` it may add columns of its own.
    """

    def probe(self) -> Probe | None:
        """What it adds to the measured step, new for each `fit`; None, where the tap's own columns are enough."""
        return None

    def _restart(self) -> None:
        super()._restart()
        self._reported: dict[str, set[str]] = {}

    def _is_new(self, trouble: str, places: set[str]) -> bool:
        """Whether trouble begins, comes back after an epoch without any, or reaches further places."""
        known = self._reported.get(trouble, set())
        self._reported[trouble] = known | places if places else set()
        return bool(places - known)
