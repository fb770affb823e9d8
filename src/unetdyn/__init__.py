"""unetdyn: see what the training of a U-Net is doing, while it is doing it.

`import unetdyn` itself loads neither Keras nor a backend, so that `unetdyn.runs` and `unetdyn.analysis` open a
finished run on any laptop. As soon as Keras is imported, before or after, every object of ours that a `.keras`
file can name is registered: `keras.saving.load_model` needs no `custom_objects`.
"""

import importlib
from types import ModuleType

import wrapt

__version__ = "0.1.0"

_ROOMS = (
    *("analysis", "callbacks", "data", "dynamics", "experiment", "losses", "metrics", "models", "report", "runs"),
    *("inference", "optimizers", "schedules"),
)


@wrapt.when_imported("keras")
def _register_serialisable_objects(_keras: ModuleType) -> None:
    importlib.import_module("unetdyn._registered")


def __getattr__(name: str) -> ModuleType:
    """Load a room at its first use: `unetdyn.metrics` works after a plain `import unetdyn`."""
    if name in _ROOMS:
        return importlib.import_module(f"unetdyn.{name}")
    raise AttributeError(f"module 'unetdyn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOMS])
