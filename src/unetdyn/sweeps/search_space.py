"""What the file of an adaptive search says: its parameters, what is wanted of them, and how they are looked for."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, PositiveInt, Tag, ValidationError, field_validator, model_validator

from unetdyn._checks import unknown_choice
from unetdyn._part import Part
from unetdyn._yaml_file import Document, YamlError
from unetdyn.experiment.paths import UserPath
from unetdyn.runs.strict_json import dumps
from unetdyn.sweeps.table import SweepError, hash_of

DIRECTIONS = {"performance": "maximize", "stability": "minimize", "seconds": "minimize"}
"""What may be wanted, and whether more of it is better."""

Number = int | float


class Range(Part):
    """Numbers from `low` to `high`, both possible; whole ones where both are whole."""

    low: Number
    high: Number
    log: bool = Field(False, description="draw by the logarithm, as for a learning rate")
    step: Number | None = Field(None, gt=0, description="from one possible value to the next, counted from `low`")

    @model_validator(mode="after")
    def _has_a_width(self) -> "Range":
        if not self.low < self.high:
            raise ValueError(f"`low` must be less than `high`. Received: low={self.low}, high={self.high}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError(
                f"`log` needs `low` above 0, and no `step`. Received: low={self.low}, log=true, step={self.step}"
            )
        if self.is_whole and self.step is not None and not isinstance(self.step, int):
            raise ValueError(f"`step` must be whole where `low` and `high` are. Received: step={self.step}")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are possible."""
        return isinstance(self.low, int) and isinstance(self.high, int)


Space = Annotated[
    Annotated[Range, Tag("range")] | Annotated[tuple[Any, ...], Field(min_length=2), Tag("choices")],
    Discriminator(lambda given: "choices" if isinstance(given, list | tuple) else "range"),
]
"""A range, or a list of what may be chosen."""


class Search(Part):
    """An adaptive search: each trial is a training, or one for each seed, whose settings a sampler chooses."""

    name: str = Field("search", pattern=r"^[\w.-]+$", description="part of its folder's name")
    base: UserPath = Field(description="the configuration in which trials change settings; relative: to this file")
    directory: UserPath | None = Field(None, description="its folder; absent: searches/NAME beside this file")
    parameters: dict[str, Space] = Field(min_length=1, description="key of the configuration → range or list")
    objectives: tuple[str, ...] = Field(("performance",), description=f"one or several of {', '.join(DIRECTIONS)}")
    metric: str = Field("jaccard", description="what the performance is of, in validation; more is better")
    trials: PositiveInt = Field(description="in all, over all workers")
    seeds: PositiveInt = Field(1, description="trainings of a trial, whose mean counts: the base's seed, +1, …")
    sampler: Literal["tpe", "random", "cmaes", "gp", "qmc", "nsgaii"] = "tpe"
    seed: int = Field(0, ge=0, lt=2**32, description="of the sampler")
    pruner: Literal["stability", "median", "hyperband"] | None = Field("stability", description="null: none")
    pruning_rate: float = Field(0.05, gt=0, lt=1, description="of `stability`: the most that may hit a winner")
    storage: str | None = Field(None, description="absent: a journal file in its folder, for workers of one machine")

    @field_validator("objectives")
    @classmethod
    def _objectives_are_known(cls, objectives: tuple[str, ...]) -> tuple[str, ...]:
        for each in objectives:
            if each not in DIRECTIONS:
                raise ValueError(unknown_choice("objectives", each, DIRECTIONS))
        if not objectives or len(set(objectives)) < len(objectives):
            raise ValueError(f"name one objective or several, each once. Received: {list(objectives)}")
        return objectives

    @field_validator("parameters")
    @classmethod
    def _choices_differ(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        for key, space in parameters.items():
            if key in ("seed", "run_directory", "name"):
                raise ValueError(f"`{key}` is no parameter: each trial has its own. Received: parameters.{key}")
            if isinstance(space, tuple) and len(labels(space)) < len(space):
                raise ValueError(
                    f"`parameters.{key}` must name each choice once; 1, 1.0 and true are one to Optuna. Received: "
                    f"{list(space)}"
                )
        return parameters

    @model_validator(mode="after")
    def _parts_go_together(self) -> "Search":
        if len(self.objectives) > 1 and self.sampler == "cmaes":
            raise ValueError(
                "`sampler: cmaes` has one objective; several go with tpe, nsgaii, gp, qmc or random. Received: "
                f"objectives={list(self.objectives)}"
            )
        if len(self.objectives) > 1 and self.pruner not in ("stability", None):
            raise ValueError(
                "Optuna prunes no search with several objectives: leave `pruner` out, for which a trial is ended only "
                f"where it diverges, or write null. Received: pruner={self.pruner!r}"
            )
        if self.sampler == "cmaes" and any(isinstance(space, tuple) for space in self.parameters.values()):
            raise ValueError("`sampler: cmaes` knows ranges only, and no lists; tpe knows both")
        return self

    @property
    def directions(self) -> list[str]:
        """Of the objectives, as Optuna calls them."""
        return [DIRECTIONS[each] for each in self.objectives]

    def identity(self, base: str) -> str:
        """By which a search is told from another one: all but how long it goes on, and where its storage is.

        Args:
            base: The text of the base's file.
        """
        return hash_of([self.model_dump(mode="json", exclude={"trials", "storage", "directory", "base"}), base])


def read_search(path: str | Path) -> Search:
    """Read the file of a search.

    Args:
        path: The YAML file.

    Returns:
        The checked search, whose `base` and `directory` are absolute.

    Raises:
        SweepError: For a missing or malformed file, an unknown key (with the nearest known one), or a value that can't
            be.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "search.yaml"
        >>> _ = file.write_text("base: b.yaml\\ntrials: 9\\nparameters: {fit.batch_size: [4, 8]}\\n")
        >>> read_search(file).parameters
        {'fit.batch_size': (4, 8)}
        >>> _ = file.write_text("base: b.yaml\\ntrials: 9\\nparameters: {fit.batch_size: {low: 8, hihg: 4}}\\n")
        >>> read_search(file)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        unetdyn.sweeps.table.SweepError: ...search.yaml: line 3: `parameters.fit.batch_size`: unknown key 'hihg'. Did \
you mean 'high'? Known keys: low, high, log, step
    """
    path = Path(path)
    try:
        document = Document(path.read_bytes())
    except OSError as error:
        raise SweepError(f"A search must be a YAML file. Received: {path}: {error.strerror or error}.") from None
    except YamlError as error:
        raise SweepError(f"{path} is not valid YAML: {error}.") from None
    if not isinstance(document.values, dict):
        raise SweepError(f"{path} must hold keys and values, such as trials: 30. It doesn't.")
    try:
        search = Search.model_validate(document.values)
    except ValidationError as error:
        found = {_sentence(one): document.line(_keys(one)) for one in error.errors()}
        told = [sentence if line is None else f"line {line}: {sentence}" for sentence, line in found.items()]
        raise SweepError(f"{path}: " + "; ".join(told)) from None
    beside = path.absolute().parent
    directory = search.directory or Path("searches") / search.name
    return search.model_copy(update={"base": beside / search.base, "directory": beside / directory})


def labels(choices: tuple[Any, ...]) -> dict[Any, Any]:
    """What stands for each choice in Optuna, which knows texts, numbers, switches and null: of others their JSON."""
    return {each if isinstance(each, str | int | float | None) else dumps(each): each for each in choices}


def settings(search: Search, params: Mapping[str, Any]) -> dict[str, Any]:
    """Key of the configuration → its value, from what Optuna calls the values.

    >>> search = Search(base="b.yaml", trials=1, parameters={"loss.class_weights": [[1, 2], [1, 4]]})
    >>> settings(search, {"loss.class_weights": "[1, 4]"})
    {'loss.class_weights': [1, 4]}
    """
    return {
        key: labels(space)[params[key]] if isinstance(space, tuple) else params[key]
        for key, space in search.parameters.items()
    }


def _keys(error: Any) -> tuple[Any, ...]:
    """Where an error is; pydantic adds which kind of space it is."""
    keys = error["loc"]
    if unknown := re.match(r"Value error, unknown key '(.*?)'", error["msg"]):
        keys = (*keys, unknown[1])
    return (*keys[:2], *keys[3:]) if keys[:1] == ("parameters",) else keys


def _sentence(error: Any) -> str:
    message = error["msg"].removeprefix("Value error, ")
    is_unknown = message.startswith("unknown key")
    where = ".".join(map(str, _keys(error)[:-1] if is_unknown else _keys(error)))
    told = is_unknown or error["type"] == "missing" or "Received:" in message
    received = "" if told else f". Received: {error['input']!r:.100}"
    return f"`{where}`: {message[:1].lower()}{message[1:]}{received}" if where else message
