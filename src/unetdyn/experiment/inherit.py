"""What a stage of a configuration does not say: as it is said for the whole training."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel


def inherited(stage: Any, number: int, general: Mapping[str, Any]) -> Any:
    """A stage as it was written, with a name and with what it leaves out of its sections.

    A section that names another `kind` than the general one inherits nothing: other kinds have other keys.

    Args:
        stage: As it was written; what is no mapping is returned as it is, to be refused by whoever checks it.
        number: Of the stage, from 1.
        general: Sections of the whole configuration that a stage may have, checked, by their key.

    Example:
        >>> from unetdyn.experiment.config import LossConfig
        >>> inherited({"epochs": 3, "loss": {"alpha": 0.25}}, 2, {"loss": LossConfig(gamma=1)})
        {'name': 'stage2', 'epochs': 3, 'loss': {'gamma': 1.0, 'alpha': 0.25}}
    """
    if not isinstance(stage, Mapping):
        return stage
    filled = {"name": f"stage{number}", **stage}
    return filled | {key: _section(section, stage.get(key, {})) for key, section in general.items()}


def _section(general: Any, own: Any) -> Any:
    if isinstance(own, BaseModel):
        own = own.model_dump(exclude_unset=True)
    if not isinstance(own, Mapping) or own.get("kind", general.kind) != general.kind:
        return own
    return {**general.model_dump(exclude_unset=True), **own}
