"""The list of monitors, each of which must pass tests/contracts/test_monitor_contract.py; a new one belongs here."""

from unetdyn.callbacks import GradientMonitor, NoiseScaleMonitor, RunRecorder, StabilityMonitor, UpdateMonitor

MONITORS = {
    "StabilityMonitor": lambda folder: StabilityMonitor(["val_loss", "loss"], window=2),
    "RunRecorder": lambda folder: RunRecorder(folder / "run", save_best="val_loss"),
    "GradientMonitor": lambda folder: GradientMonitor(),
    "NoiseScaleMonitor": lambda folder: NoiseScaleMonitor(),
    "UpdateMonitor": lambda folder: UpdateMonitor(),
}
"""By name, a function that makes the monitor; it gets an empty folder to write to."""
