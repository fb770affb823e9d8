"""The whole configuration of a row, and whether it is still the one that was frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from unetdyn.sweeps.table import Row, Sweep, SweepError, hash_of

if TYPE_CHECKING:
    from unetdyn.experiment import Config

_SHOWN = 5  # faults


def config_of(sweep: Sweep, number: int) -> Config:
    """What a row is trained with: the base configuration with its settings, blocks, seed and run directory.

    Args:
        sweep: From `open_sweep`.
        number: Of the row, from 1.

    Returns:
        The checked configuration; its hash is the row's.

    Raises:
        SweepError: If there is no such row, or this version of unetdyn makes another configuration of it than the one
            that was planned.
    """
    from unetdyn import __version__
    from unetdyn.experiment import ConfigError, parse_config

    row = sweep.row(number)
    frozen = sweep.versions.get("unetdyn", "another version")
    values = row_values(sweep.base, row) | {"run_directory": str(sweep.run_path(number))}
    try:
        config = parse_config(values, "configuration")
        found = config_hash(config)
        why = f"its defaults have changed (hash {found}, frozen as {row.config})"
    except ConfigError as error:
        config, found, why = None, "", f"it is refused now ({error})"
    if config is None or found != row.config:
        raise SweepError(
            f"Row {number} of {sweep.path} must be trained as it was planned, with unetdyn {frozen}. Received: unetdyn "
            f"{__version__}, where its configuration is another one: {why}. Install unetdyn {frozen} to go on with "
            "this sweep, or plan a new one: give the design another `name` or `directory`."
        )
    return config


def config_hash(config: Config) -> str:
    """Of all that a run is trained with; where it is written does not count, for a sweep's folder may be moved."""
    return hash_of(config.model_dump(mode="json", exclude={"run_directory"}))


def row_values(base: Mapping[str, Any], row: Row) -> dict[str, Any]:
    """The base configuration's values with those of a row; the base is left as it is.

    Raises:
        unetdyn.experiment.ConfigError: If a key leads into a list, and to none of its entries.

    Example:
        >>> base = {"data": {"kind": "synthetic"}, "fit": {"epochs": 3}}
        >>> row_values(base, Row(1, 1, 7, {"fit.batch_size": 8}, {"data.seed": 1}, ""))
        {'data': {'kind': 'synthetic', 'seed': 1}, 'fit': {'epochs': 3, 'batch_size': 8}, 'seed': 7}
    """
    from unetdyn.experiment.load import set_key

    values: dict[str, Any] = deepcopy(dict(base))
    for key, level in {**row.settings, **row.blocks}.items():
        set_key(values, key, deepcopy(level), f"the factor {key!r}")
    return values | {"seed": row.seed}


def anchored(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a configuration, or settings with dotted keys, whose paths to data are absolute.

    A job of a cluster begins in another folder than the one in which the sweep was planned.

    >>> from pathlib import Path
    >>> found = anchored({"data": {"kind": "folder", "path": "em"}, "run_directory": "runs/x"})
    >>> found["data"]["path"] == str(Path("em").absolute()), "run_directory" in found
    (True, False)
    """
    found = {key: value for key, value in values.items() if key != "run_directory"}
    if isinstance(found.get("data"), Mapping):
        found["data"] = {key: _absolute(value) if key == "path" else value for key, value in found["data"].items()}
    if "data.path" in found:
        found["data.path"] = _absolute(found["data.path"])
    return found


def checked(base: Mapping[str, Any], rows: Sequence[Row]) -> tuple[tuple[Row, ...], list[Config]]:
    """Every row's configuration, checked before anything is trained.

    Args:
        base: With absolute paths.
        rows: Of the design.

    Returns:
        The rows with the hashes of their configurations, and these.

    Raises:
        SweepError: If one can't be trained, all faults in one text with the settings that have them; or if two rows
            are the same training.
    """
    from unetdyn.experiment import ConfigError, parse_config

    configs: list[Config] = []
    faults: dict[str, list[Row]] = {}
    for row in rows:
        try:
            configs.append(parse_config(row_values(base, row), "configuration"))
        except ConfigError as error:
            faults.setdefault(str(error).removeprefix("configuration: "), []).append(row)
    if faults:
        bad = sum(map(len, faults.values()))
        told = [
            f"{why} (with {_settings(found[0])}; {len(found)} of the rows)"
            for why, found in list(faults.items())[:_SHOWN]
        ]
        more = f"; and {len(faults) - _SHOWN} faults more" if len(faults) > _SHOWN else ""
        raise SweepError(
            f"Each row of a sweep must be a configuration that can be trained. Received: {bad} of {len(rows)} that "
            f"can't: {'; '.join(told)}{more}."
        )
    hashed = tuple(replace(row, config=config_hash(config)) for row, config in zip(rows, configs, strict=True))
    first: dict[str, Row] = {}
    for row in hashed:
        twin = first.setdefault(row.config, row)
        if twin is not row:
            raise SweepError(
                "Each row of a sweep must be a training of its own. Received: two with the same configuration, "
                f"{_settings(twin)} and {_settings(row)}."
            )
    return hashed, configs


def _settings(row: Row) -> str:
    settings = {**row.settings, **row.blocks, "seed": row.seed}
    return ", ".join(f"{key}={level!r}" for key, level in settings.items())


def _absolute(path: Any) -> Any:
    from unetdyn.experiment.paths import user_path

    try:
        return str(user_path(path).absolute())
    except ValueError:
        return path  # which the configuration's own check refuses in its words
