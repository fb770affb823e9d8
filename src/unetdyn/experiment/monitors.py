"""The monitors that a configuration offers, as they declare themselves: their sections, and how they are made."""

import inspect
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, Field, create_model

from unetdyn import callbacks
from unetdyn.analysis.declarations import DECLARATIONS, OWN, Declaration, Section, Setting
from unetdyn.data import TileDataset

_EXPORTED = [getattr(callbacks, name) for name in callbacks.__all__]
_CLASSES = {unit.declaration.name: unit for unit in _EXPORTED if "declaration" in vars(unit)}


def offered() -> Iterator[tuple[Declaration, Section]]:
    """What declares a section of the configuration, in order."""
    return ((declared, declared.section) for declared in DECLARATIONS if declared.section is not None)


def section_fields(base: type[BaseModel]) -> dict[str, Any]:
    """Of a pydantic model with a section for each monitor: name → type and default.

    Args:
        base: What the sections derive from.
    """
    return {declared.name: _section(declared.name, section, base) for declared, section in offered()}


def monitors_of(callbacks_section: BaseModel, fit_section: BaseModel, dataset: TileDataset) -> list[Any]:
    """The monitors that a configuration asks for, in the order of their declarations.

    Args:
        callbacks_section: Of the configuration; it has the sections of `section_fields`.
        fit_section: Of the configuration; what monitors must know of the training.
        dataset: That is trained on.

    Raises:
        ValueError: If a setting does not fit the dataset.
    """
    made: dict[str, Any] = {}
    for declared, section in sorted(offered(), key=lambda each: bool(_controls(each[1]))):  # those they need first
        settings = getattr(callbacks_section, declared.name)
        if settings is not None:
            data = [dataset] if section.on_data else []
            given = {argument: getattr(fit_section, argument) for argument in section.from_fit}
            values = settings.model_dump()
            values |= {argument: made.get(values[argument]) for argument in _controls(section)}
            try:
                made[declared.name] = _CLASSES[declared.name](*data, **given, **values)
            except ValueError as error:
                raise ValueError(f"`callbacks.{declared.name}`: {error}") from error
    return [made[declared.name] for declared, _ in offered() if declared.name in made]


def missing_controls(callbacks_section: BaseModel) -> Iterator[tuple[str, str]]:
    """What the sections name of sections that are not there: `stability_control.clip` and the like, and each name."""
    for declared, section in offered():
        settings = getattr(callbacks_section, declared.name)
        for argument in _controls(section) if settings is not None else ():
            name = getattr(settings, argument)
            if name is not None and getattr(callbacks_section, name) is None:
                yield f"{declared.name}.{argument}", name


def _controls(section: Section) -> list[str]:
    return [argument for argument, setting in section.settings.items() if setting.control]


def watched_names(callbacks_section: BaseModel) -> Iterator[tuple[str, str]]:
    """What the sections name of `logs`: `stability.monitor` and the like, and each name."""
    for declared, section in offered():
        settings = getattr(callbacks_section, declared.name)
        for argument, setting in section.settings.items():
            if setting.logged and settings is not None:
                given = getattr(settings, argument)
                names = (given,) if isinstance(given, str) else given
                yield from ((f"{declared.name}.{argument}", name) for name in names)


def _section(name: str, section: Section, base: type[BaseModel]) -> tuple[Any, Any]:
    monitor = _CLASSES[name]
    arguments = inspect.signature(monitor).parameters
    fields: dict[str, Any] = {key: _field(setting, arguments[key].default) for key, setting in section.settings.items()}
    about = " ".join(filter(None, (f"See `unetdyn.callbacks.{monitor.__name__}`.", section.about)))
    made = create_model(
        f"{name.title().replace('_', '')}Config", __base__=base, __doc__=about, __module__=__name__, **fields
    )
    globals()[made.__name__] = made  # found by pickle, as a class that stands here
    if section.required:
        return made, made()
    if section.on:
        return made | None, Field(made(), description="null: not watched")
    return made | None, Field(None, description="absent: it does not act; {}: with its defaults")


def _field(setting: Setting, own: Any) -> tuple[Any, Any]:
    default = own if setting.default is OWN else setting.default
    bounds: dict[str, Any] = dict(setting.bounds)
    return setting.kind, Field(default, description=setting.about or None, **bounds)
