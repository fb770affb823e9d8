"""What a stage of a configuration does not say: as it is said for the whole training."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel


def inherited(stage: Any, number: int, general: Mapping[str, Any]) -> Any:
    """A stage as it was written, with a name and with what it leaves out of its sections.

    A section that names another `kind` than the general one inherits nothing: other kinds have other keys.

    Args:
        stage: As it was written, a mapping or a part of a configuration; what is neither is returned as it is, to be
            refused by whoever checks it.
        number: Of the stage, from 1.
        general: Sections of the whole configuration that a stage may have, checked, by their key.

    Example:
        >>> from unetdyn.experiment.config import LossConfig
        >>> inherited({"epochs": 3, "loss": {"alpha": 0.25}}, 2, {"loss": LossConfig(gamma=1)})
        {'name': 'stage2', 'epochs': 3, 'loss': {'gamma': 1.0, 'alpha': 0.25}}
    """
    stage = _said(stage)
    if not isinstance(stage, Mapping):
        return stage
    filled = {"name": f"stage{number}", **stage}
    return filled | {key: _section(section, stage.get(key, {})) for key, section in general.items()}


def _section(general: Any, own: Any) -> Any:
    own = _said(own)
    if not isinstance(own, Mapping) or own.get("kind", general.kind) != general.kind:
        return own
    return {**_said(general), **own}


def _said(part: Any) -> Any:
    """Of a part of a configuration, the values that were given, themselves parts as they are; all else unchanged."""
    if not isinstance(part, BaseModel):
        return part
    return {name: getattr(part, name) for name in type(part).model_fields if name in part.model_fields_set}
