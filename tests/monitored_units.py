"""The monitors and controls that must pass tests/contracts/test_monitor_contract.py; a new one belongs here."""

from unetdyn.callbacks import (
    AdaptiveGradientClipping,
    AutoClip,
    GradientMonitor,
    LiveDashboard,
    NoiseScaleMonitor,
    NonFiniteGuard,
    RunRecorder,
    StabilityMonitor,
    UpdateMonitor,
)

MONITORS = {
    "StabilityMonitor": lambda folder: StabilityMonitor(["val_loss", "loss"], window=2),
    "RunRecorder": lambda folder: RunRecorder(folder / "run", save_best="val_loss"),
    "GradientMonitor": lambda folder: GradientMonitor(),
    "LiveDashboard": lambda folder: LiveDashboard(where="notebook", every_seconds=0),
    "NoiseScaleMonitor": lambda folder: NoiseScaleMonitor(),
    "UpdateMonitor": lambda folder: UpdateMonitor(),
}
"""By name, a function that makes the monitor; it gets an empty folder to write to."""

CONTROLS = {
    "AdaptiveGradientClipping": lambda folder: AdaptiveGradientClipping(1e9),
    "AutoClip": lambda folder: AutoClip(100),
    "NonFiniteGuard": lambda folder: NonFiniteGuard(verbose=0),
}
"""The same for controls, with arguments under which there is nothing for them to do in a healthy training."""
