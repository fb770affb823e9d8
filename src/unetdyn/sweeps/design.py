"""What a file `sweep.yaml` may say: which configuration, what is varied in it, and how combinations are chosen."""

from collections.abc import Mapping, Sequence
from itertools import chain, combinations
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    PositiveInt,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from unetdyn._checks import nearest, unknown_choice
from unetdyn._part import Part
from unetdyn._part_errors import Keys, sentences
from unetdyn._yaml_file import Document, YamlError, read_mapping
from unetdyn.sweeps.levels import Range, same
from unetdyn.sweeps.table import SweepError

EXAMPLE = "{name: rates, base: train.yaml, factors: {optimizer.learning_rate: [1.0e-3, 5.0e-3]}, seeds: 3}"
_OWN = {"seed": "`seeds`", "run_directory": "`directory`", "name": "`name`"}


def _form(value: Any) -> str:
    return "range" if isinstance(value, Mapping | Range) else "levels"


Factor = Annotated[
    Annotated[tuple[Any, ...], Tag("levels")] | Annotated[Range, Tag("range")],
    Discriminator(_form),
]
"""Two levels or more, or a range."""

Seeds = Annotated[
    Annotated[PositiveInt, Tag("number")] | Annotated[tuple[Annotated[int, Field(ge=0, lt=2**32)], ...], Tag("list")],
    Discriminator(lambda value: "list" if isinstance(value, list | tuple) else "number"),
]
"""How many, or which."""


class Scheme(Part):
    """How combinations of the factors' levels are chosen; see `unetdyn.sweeps.designs`."""

    kind: Literal["factorial", "fractional", "latin_hypercube", "random"] = "factorial"
    runs: PositiveInt | None = Field(None, description="how many combinations; each is run with every seed")
    resolution: int | None = Field(None, ge=3, description="of a fraction of factors with two levels: 3, 4 or more")
    interactions: tuple[tuple[str, str], ...] = Field(
        (), description="pairs of factors whose interaction a fraction must be able to tell"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="of what is drawn: combinations, and the order of all rows")

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> "Scheme":
        given = {"runs": self.runs, "resolution": self.resolution, "interactions": self.interactions or None}
        of_kind = {"factorial": (), "fractional": tuple(given)}.get(self.kind, ("runs",))
        for key, value in given.items():
            if value is not None and key not in of_kind:
                raise ValueError(f"`{key}` has no place in kind: {self.kind}. Received: {key}={value!r}")
        if of_kind and self.runs is None and self.resolution is None:
            more = ", or `resolution` where each factor has two levels" if self.kind == "fractional" else ""
            raise ValueError(f"kind: {self.kind} needs `runs`, how many combinations{more}. Received: neither")
        return self


class Design(Part):
    """A sweep as it is planned.

    Example:
        >>> design = Design(
        ...     name="rates",
        ...     base={"data": {"kind": "synthetic"}},
        ...     factors={"optimizer.learning_rate": [1e-3, 5e-3]},
        ...     seeds=3,
        ... )
        >>> design.seed_list, design.folder.as_posix()
        ((0, 1, 2), 'sweeps/rates')
    """

    name: str = Field(pattern=r"^\w[\w.-]*$")
    directory: str | None = Field(
        None, min_length=1, description="absent: sweeps/NAME; relative to the working directory"
    )
    base: dict[str, Any] = Field(description="the configuration; in a file also the path of one, relative to the file")
    factors: dict[str, Factor] = Field(min_length=1, description="key of the configuration → levels, or a range")
    seeds: Seeds = Field(description="how many, from 0 on, or which: every combination is run with each")
    blocks: dict[str, tuple[Any, ...]] = Field(
        default_factory=dict, description="the same, of what is varied with everything and not asked about"
    )
    exclude: tuple[dict[str, Any], ...] = Field((), description="settings that are not to meet")
    design: Scheme = Scheme()

    @property
    def folder(self) -> Path:
        """Where the sweep lies, relative to the working directory unless it is absolute."""
        return Path("sweeps") / self.name if self.directory is None else Path(self.directory).expanduser()

    @property
    def seed_list(self) -> tuple[int, ...]:
        """The seeds, one by one."""
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds

    @property
    def levels(self) -> dict[str, tuple[Any, ...]]:
        """Those of the factors that have levels."""
        return {key: factor for key, factor in self.factors.items() if not isinstance(factor, Range)}

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: int | tuple[int, ...]) -> int | tuple[int, ...]:
        if isinstance(seeds, tuple) and (not seeds or len(set(seeds)) < len(seeds)):
            raise ValueError(f"must be a number, or a list of different seeds. Received: {list(seeds)}")
        return seeds

    @field_validator("factors", "blocks")
    @classmethod
    def _keys_and_levels_differ(cls, factors: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        for key, levels in factors.items():
            if not all(key.split(".")):
                raise ValueError(f"a key must be like optimizer.learning_rate. Received: {key!r}")
            if key in _OWN:
                raise ValueError(f"{key} is no factor, for each run gets it from {_OWN[key]} of the design")
            if not isinstance(levels, Range) and len(set(map(same, levels))) < max(len(levels), 2):
                raise ValueError(f"{key} must have two levels or more, all different. Received: {list(levels)}")
        before = info.data.get("factors", {})
        for one, other in combinations(sorted([*before, *factors]), 2):
            if f"{other}.".startswith(f"{one}."):
                raise ValueError(f"a key must not be within another, or given twice. Received: {one!r} and {other!r}")
        return factors

    @field_validator("exclude")
    @classmethod
    def _excluded_are_levels(cls, exclude: Sequence[dict[str, Any]], info: ValidationInfo) -> Sequence[dict[str, Any]]:
        known = {**info.data.get("factors", {}), **info.data.get("blocks", {})}
        known = {key: levels for key, levels in known.items() if not isinstance(levels, Range)}
        for excluded in exclude:
            for key, level in excluded.items():
                if key not in known:
                    raise ValueError(
                        f"it must name factors with levels, or blocks: {', '.join(known)}. Received: {key!r}."
                        f"{nearest(key, known)}"
                    )
                if same(level) not in map(same, known[key]):
                    raise ValueError(f"a level of {key} must be one of {list(known[key])}. Received: {level!r}")
            if not excluded:
                raise ValueError("an entry must name a setting. Received: {}")
        return exclude

    @field_validator("design")
    @classmethod
    def _kind_fits_factors(cls, scheme: Scheme, info: ValidationInfo) -> Scheme:
        factors = info.data.get("factors", {})
        ranges = [key for key, factor in factors.items() if isinstance(factor, Range)]
        if ranges and scheme.kind in ("factorial", "fractional"):
            raise ValueError(
                "a range needs kind: latin_hypercube or random, which draw from it. Received: "
                f"{ranges[0]} with a range, in kind: {scheme.kind}: give it levels"
            )
        for key in chain.from_iterable(scheme.interactions):
            if key not in factors:
                raise ValueError(unknown_choice("interactions", key, factors))
        if any(one == other for one, other in scheme.interactions):
            raise ValueError(f"`interactions` are of two factors. Received: {[list(e) for e in scheme.interactions]}")
        return scheme

    def excludes(self, settings: Mapping[str, Any]) -> bool:
        """Whether these settings, of factors alone or of factors and blocks, are not to meet."""
        return any(
            all(key in settings and same(settings[key]) == same(level) for key, level in excluded.items())
            for excluded in self.exclude
        )

    def described(self) -> dict[str, Any]:
        """What a frozen table keeps of it, and what JSON can hold."""
        return self.model_dump(mode="json")


def read_design(path: str | Path) -> Design:
    """Read a design file; no Keras is loaded.

    Args:
        path: The YAML file.

    Returns:
        The design, with the base configuration itself where the file names its path. Whether this is one that can be
        trained is asked when the sweep is planned.

    Raises:
        SweepError: If it is no YAML, has an unknown key (with the nearest known one), or a value that can't be used;
            the text says in which line.

    Example:
        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "sweep.yaml"
        >>> _ = file.write_text(
        ...     "name: rates\\nbase: {data: {kind: synthetic}}\\nfactors: {fit.batch_size: [8, 16]}\\nseeds: [4, 5]\\n"
        ... )
        >>> read_design(file).factors
        {'fit.batch_size': (8, 16)}
    """
    path = Path(path)
    try:
        document, values = read_mapping(path, "design of a sweep", EXAMPLE)
        if isinstance(values.get("base"), str):
            values["base"] = _base(path, document, values["base"])
    except YamlError as error:
        raise SweepError(str(error)) from error.__cause__
    factors = values.get("factors")
    tags = {"seeds": ("number", "list")} | dict.fromkeys(
        factors if isinstance(factors, dict) else (), ("levels", "range")
    )
    try:
        return Design.model_validate(values)
    except ValidationError as error:
        told = sentences(error, Design, tags, lambda keys: _line(document, keys))
        raise SweepError(f"{path}: {told}") from None


def _base(path: Path, document: Document, name: str) -> dict[str, Any]:
    file = path.parent / Path(name).expanduser()
    if not file.exists():
        raise YamlError(
            f"{path}, line {document.line(['base'])}: `base` must be a configuration, or the path of one from this "
            f"file's folder. Received: {name!r}, and {file} is not there."
        )
    return read_mapping(file, "configuration", "data: {kind: synthetic}")[1]


def _line(document: Document, keys: Keys) -> int | None:
    """Of an error in the whole, none."""
    return document.line(keys) if keys else None
