"""The folder of a search, in which it is written down once what is searched."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from unetdyn.analysis.stability_classes import WINDOW
from unetdyn.runs.atomic import create
from unetdyn.runs.strict_json import dumps, loads
from unetdyn.runs.versions import versions
from unetdyn.sweeps.optional import optuna
from unetdyn.sweeps.search_space import Range, Search, labels
from unetdyn.sweeps.search_training import config_of
from unetdyn.sweeps.table import SweepError

FILE, BASE = "search.json", "base.yaml"


def begun(asked: Search, path: Path) -> Path:
    """The folder of a search, made where it is new, and compared with its file where it is not.

    Raises:
        SweepError: If the file says something else than when it began.
        ConfigError: If base and parameters make no configuration.
    """
    folder = asked.directory
    assert folder is not None, "made absolute when it was read"
    try:
        base = asked.base.read_text(encoding="utf-8")
    except OSError as error:
        raise SweepError(
            f"`base` must be a configuration's YAML file. Received: {asked.base}: {error.strerror}."
        ) from None
    identity = asked.identity(base)
    if not (folder / FILE).is_file():
        _check_parameters(asked)
        said = {
            "format": 1,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "identity": identity,
            "versions": {**versions(None), "optuna": optuna.__version__},
            "search": asked.model_dump(mode="json", exclude={"storage"}),  # which may hold a password
        }
        (folder / "runs").mkdir(parents=True, exist_ok=True)
        for name, text in ((BASE, base), (FILE, dumps(said, indent=1) + "\n")):
            with suppress(FileExistsError):  # another worker was faster, and is asked below
                create(folder / name, text)
    found = loads((folder / FILE).read_bytes())
    if found.get("identity") != identity or (folder / BASE).read_text(encoding="utf-8") != base:
        raise SweepError(
            f"{folder} holds a search that began with another file: {path} or its base, {asked.base}, was changed "
            "since. Only `trials`, `storage` and `directory` may change; give it another `name`, or undo the change."
        )
    return folder


def _check_parameters(asked: Search) -> None:
    """Have each value, with the first ones of the others, make a configuration, before anything is spent."""
    first = {
        key: space.low if isinstance(space, Range) else next(iter(labels(space)))
        for key, space in asked.parameters.items()
    }
    for key, space in asked.parameters.items():
        for value in (space.low, space.high) if isinstance(space, Range) else labels(space):
            config = config_of(asked.base, asked, {**first, key: value}, Path("trial"), 0)
            if "stability" in asked.objectives and sum(stage.epochs for stage in config.trained) < WINDOW:
                raise SweepError(
                    f"`objectives: stability` needs {WINDOW} epochs, over which σ is taken. Received: "
                    f"fit.epochs={config.fit.epochs}."
                )
            if asked.metric not in config.metrics.names:
                raise SweepError(
                    f"`metric` must be measured: one of {', '.join(config.metrics.names)}, or add it to `metrics.also` "
                    f"of {asked.base}. Received: metric={asked.metric!r}."
                )
