"""What a recorder keeps of the monitors of a training: their arrays, what they said, their results."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from unetdyn.callbacks.monitor import Recorded
from unetdyn.callbacks.patient_writer import PatientWriter
from unetdyn.runs.segments import rows_of


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
        self._rows: dict[str, int] = {}

    def write(self) -> None:
        """What there is now."""
        for monitor in self._monitors:
            with self._written.aside(f"the record of {monitor.name}"):
                self._write_arrays(monitor)
            for epoch, found in monitor.findings[self._told[monitor.name] :]:
                self._written.finding("monitor", found, monitor=monitor.name, epoch=epoch)
            self._told[monitor.name] = len(monitor.findings)

    def _write_arrays(self, monitor: Recorded) -> None:
        """The new rows of a record that only grows, also those that could not be written before; else the whole."""
        known = self._rows.get(monitor.name, 0)
        found = monitor.record_since(known)
        if found is None:
            self._written.save_arrays(monitor.name, monitor.record)
            return
        first, arrays = found
        rows = rows_of(arrays)
        if not first and not rows:  # a record of no steps is one, too
            self._written.save_arrays(monitor.name, arrays)
        elif rows and self._written.append_arrays(monitor.name, first, arrays):
            self._rows[monitor.name] = first + rows

    @property
    def rows(self) -> dict[str, int]:
        """How many rows were written of each record that only grows."""
        return dict(self._rows)

    def get_state(self) -> dict[str, Any]:
        """How much of what the monitors have said was told, and of what they have measured was written."""
        return {"told": dict(self._told), "rows": self.rows}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Tell and write what comes after that."""
        self._told |= state["told"]
        self._rows = dict(state["rows"])

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
