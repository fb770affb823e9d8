"""What a model takes: how its images were made ready in training, kept in its own file, so that nobody forgets it.

A `.keras` file is an archive, of which Keras reads the members that it knows. One more, `unetdyn.json`, changes neither
the network nor the names in it, and any unzip shows it.
"""

import math
import os
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unetdyn._checks import check_choice, check_count, is_count, is_number
from unetdyn.runs import strict_json
from unetdyn.runs.atomic import replacing
from unetdyn.runs.reader import open_run
from unetdyn.runs.records import RunError

MEMBER = "unetdyn.json"
NAMED = ("per_image", "unit", "none")
OUTPUTS = ("probabilities", "logits", None)
_LARGEST = 2**20  # bytes of the member; a recipe has some hundred

Normalise = str | tuple[Any, Any]
"""`"per_image"`, `"unit"`, `"none"`, or mean and standard deviation: numbers, or one a channel."""


@dataclass(frozen=True)
class InputRecipe:
    """How images become what a model takes, and what it gives.

    Args:
        normalise: `"per_image"` and `"unit"` as in `unetdyn.data.normalise`; `"none"`: grey values as they are, as for
            a model that has a layer for it; or `(mean, deviation)` of the training set, two numbers or two sequences
            of one number a channel: x' = (x − mean) / deviation.
        downsample: How many times smaller on each side the images of the training were made. Default 1.
        tile: Sides of the training's tiles in pixels, `(height, width)` or `(depth, height, width)`; None (default)
            where it is not known.
        output: `"probabilities"`, `"logits"` or None (default): not known.

    Raises:
        ValueError: If one of them is something else.

    Example:
        >>> InputRecipe((128, 33.5)).normalise
        (128.0, 33.5)
    """

    normalise: Normalise
    downsample: int = 1
    tile: tuple[int, ...] | None = None
    output: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "normalise", checked_normalise(self.normalise))
        check_count("downsample", self.downsample, least=1, unit="")
        check_choice("output", self.output, OUTPUTS)
        if self.tile is not None:
            tile = self.tile
            counted = isinstance(tile, Sequence) and all(is_count(side) and side > 0 for side in tile)
            if not counted or len(tile) not in (2, 3):
                raise ValueError(f"`tile` must be 2 or 3 whole numbers of pixels, or None. Received: tile={tile!r}.")
            object.__setattr__(self, "tile", tuple(int(side) for side in tile))

    def as_json(self) -> str:
        """The text of the member."""
        return strict_json.dumps({name: getattr(self, name) for name in ("normalise", "downsample", "tile", "output")})


def checked_normalise(normalise: object) -> Normalise:
    """One of the names, or mean and deviation as floats.

    Raises:
        ValueError: If it is neither, or a deviation is not above 0.

    Example:
        >>> checked_normalise([[0.5, 0.4], [0.2, 0.1]])
        ((0.5, 0.4), (0.2, 0.1))
    """
    if not isinstance(normalise, str) and isinstance(normalise, Sequence) and len(normalise) == 2:
        mean, deviation = (_numbers(part) for part in normalise)
        same = (isinstance(mean, tuple) and len(mean)) == (isinstance(deviation, tuple) and len(deviation))
        if None not in (mean, deviation) and same and _least(deviation) > 0:
            return mean, deviation
    elif isinstance(normalise, str) and normalise in NAMED:
        return normalise
    elif isinstance(normalise, str):
        check_choice("normalise", normalise, NAMED)
    raise ValueError(
        "`normalise` must be 'per_image', 'unit', 'none', or (mean, deviation): two finite numbers, or one a channel "
        f"in each, deviations above 0. Received: normalise={normalise!r}."
    )


def store_input(file: str | Path, recipe: InputRecipe) -> None:
    """Say in a model's `.keras` file how its images were made ready; the file is replaced atomically.

    Args:
        file: From `model.save`.
        recipe: What is said; it takes the place of what was said before.

    Raises:
        RunError: A ValueError: if it is no `.keras` file.

    Example:
        >>> import tempfile, keras
        >>> file = Path(tempfile.mkdtemp()) / "model.keras"
        >>> keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(1, 3)]).save(file)
        >>> store_input(file, InputRecipe("per_image"))
        >>> input_of(file)
        InputRecipe(normalise='per_image', downsample=1, tile=None, output=None)
        >>> keras.saving.load_model(file).input_shape
        (None, None, None, 1)
    """
    file = Path(file)
    if input_of(file) == recipe:
        return
    with replacing(file) as temporary, zipfile.ZipFile(file) as old, zipfile.ZipFile(temporary, "w") as new:
        for entry in old.infolist():
            if entry.filename != MEMBER:
                with old.open(entry) as source, new.open(entry, "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target, 2**22)
        new.writestr(MEMBER, recipe.as_json())


def add_input(file: Path, recipe: InputRecipe | None) -> None:
    """The same in a file that nobody else reads yet and that has none; nothing where there is no recipe."""
    if recipe is not None:
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr(MEMBER, recipe.as_json())


def input_of(path: str | Path) -> InputRecipe | None:
    """How the images of a saved model were made ready in training, told without opening it and without Keras.

    Args:
        path: A `.keras` file, or a run directory: then what its `model.keras` says, or else its configuration.

    Returns:
        The recipe, or None where nobody has said it.

    Raises:
        FileNotFoundError: If there is no such file or folder, or the folder is no run directory.
        RunError: A ValueError: if it is no `.keras` file, or what it says is no recipe.

    Example:
        >>> import tempfile
        >>> from unetdyn.runs import RunWriter
        >>> input_of(RunWriter(tempfile.mkdtemp(), config={"data": {"normalise": "unit", "tile": 128}}).path)
        InputRecipe(normalise='unit', downsample=1, tile=(128, 128), output=None)
    """
    path = Path(path)
    if not path.is_dir():
        return _in_archive(path)
    run = open_run(path)
    said = None if run.model_path is None else _in_archive(run.model_path)
    return said if said is not None else of_config(run.config)


def of_config(config: Mapping[str, Any]) -> InputRecipe | None:
    """What the configuration of an experiment says of it; None where it is another kind of configuration."""
    data, model = config.get("data"), config.get("model")
    if not isinstance(data, Mapping) or "normalise" not in data:
        return None
    tile: Any = data.get("tile")
    sides = (tile, tile) if is_count(tile) else tile
    output = model.get("output") if isinstance(model, Mapping) else None
    try:
        return InputRecipe(data["normalise"], data.get("downsample", 1), sides, output)
    except ValueError:
        return None


def _in_archive(file: Path) -> InputRecipe | None:
    if not file.exists():
        raise FileNotFoundError(
            f"`path` must be a `.keras` file or a run directory. Received: {file}, which is not there."
        )
    try:
        with file.open("rb") as opened, zipfile.ZipFile(opened) as archive:
            if MEMBER not in archive.namelist():
                return None
            if archive.getinfo(MEMBER).file_size > _LARGEST:
                raise ValueError(f"its {MEMBER} has {archive.getinfo(MEMBER).file_size} bytes")
            said = strict_json.loads(archive.read(MEMBER))
        tile = said["tile"]
        return InputRecipe(said["normalise"], said["downsample"], tile if tile is None else tuple(tile), said["output"])
    except Exception as error:  # archives that are damaged raise almost anything
        raise RunError(
            f"{os.fspath(file)} must be a `.keras` file that tells how its images were made ready, or says "
            f"nothing of it. It is damaged, or of another kind: {error}."
        ) from error


def _numbers(part: object) -> Any:
    """A float, a tuple of them, or None where it is neither."""
    if is_number(part):
        return float(part) if math.isfinite(part) else None  # type: ignore[arg-type]
    if not hasattr(part, "__len__") or isinstance(part, str) or not len(part):
        return None
    numbers = tuple(_numbers(each) for each in part)  # type: ignore[attr-defined]
    return numbers if all(isinstance(number, float) for number in numbers) else None


def _least(numbers: Any) -> float:
    return min(numbers) if isinstance(numbers, tuple) else numbers
