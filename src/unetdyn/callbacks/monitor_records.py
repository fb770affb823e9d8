"""What a recorder keeps of the monitors of a training: their arrays, what they said, their results."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from unetdyn.callbacks.monitor import Recorded
from unetdyn.callbacks.patient_writer import PatientWriter


class MonitorRecords:
    """Writes them down as they grow.

    Args:
        written: Where to.
        monitors: Whose.
    """

    def __init__(self, written: PatientWriter, monitors: Sequence[Recorded]) -> None:
        self._written = written
        self._monitors = monitors
        self._told = {monitor.name: 0 for monitor in monitors}

    def write(self) -> None:
        """What there is now."""
        for monitor in self._monitors:
            with self._written.aside(f"the record of {monitor.name}"):
                self._written.save_arrays(monitor.name, monitor.record)
            for epoch, found in monitor.findings[self._told[monitor.name] :]:
                self._written.finding("monitor", found, monitor=monitor.name, epoch=epoch)
            self._told[monitor.name] = len(monitor.findings)

    def get_state(self) -> dict[str, Any]:
        """How much of what the monitors have said was told."""
        return {"told": dict(self._told)}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Tell what comes after that."""
        self._told |= state["told"]

    def write_unfinished(self) -> None:
        """What there is, and the steps of an epoch that an exception has ended.

        Raises:
            Exception: Whatever the backend says where nothing can be read from the device any more.
        """
        for monitor in self._monitors:
            monitor.read()
        self.write()

    @property
    def results(self) -> dict[str, Any]:
        """The numbers that matter in the end, by monitor."""
        return {
            monitor.name: {name: asdict(result) for name, result in monitor.results.items()}
            for monitor in self._monitors
            if monitor.results
        }
