"""From the configuration's `data` to the three sets of tiles that a fit needs, checked before anything trains."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unetdyn import data
from unetdyn.data.masks import refuse_unmarked
from unetdyn.experiment.config import Config
from unetdyn.experiment.data_config import FetchData, FolderData, SyntheticData

_OF_FILES = ("mask_threshold", "ignore", "foreground", "pair", "recursive", "axes", "lazy")
# What arguments of `unetdyn.data` are in a configuration.
_KEYS = {
    "size": "data.tile",
    "stride": "data.stride",
    "factor": "data.downsample",
    "method": "data.normalise",
    "classes": "model.classes",
    **{key: f"data.{key}" for key in (*_OF_FILES, "part", "accept_licence")},
    **{key: f"data.split.{key}" for key in ("validation", "test", "gap", "groups")},
}
_ARGUMENT = re.compile(rf"(?<![\w./\\])({'|'.join(_KEYS)})(?=[`=])")


@dataclass(frozen=True)
class Prepared:
    """Datasets for fit, validation and, where the split has one, the final test."""

    train: data.TileDataset
    validation: data.TileDataset
    test: data.TileDataset | None
    channels: int


def prepare(config: Config) -> Prepared:
    """Read or generate the sections, split them by section, normalise, and cut them into tiles.

    Raises:
        ValueError: Where the masks don't hold the classes that the model has; and what the readers of
            `unetdyn.data` refuse: wrong paths, unpaired or unreadable files, differing sizes, leaking splits.
    """
    with _in_words_of_the_configuration():
        stack = read_stack(config)
        check_classes(stack, config.model.classes)
        split = split_stack(stack, config)
        _refuse_unlabelled(split)
        test = None if split.test is None else _dataset(split.test, config, training=False)
        return Prepared(
            train=_dataset(split.train, config, training=True),
            validation=_dataset(split.validation, config, training=False),
            test=test,
            channels=stack.images.shape[-1],
        )


@contextmanager
def _in_words_of_the_configuration() -> Iterator[None]:
    """Errors name the keys that are to be changed, such as `data.tile`, where functions name their arguments."""
    try:
        yield
    except (ValueError, FileNotFoundError) as error:
        if len(error.args) == 1:
            error.args = (_ARGUMENT.sub(lambda found: _KEYS[found[1]], str(error)),)
        raise


def read_stack(config: Config) -> data.Stack:
    """The configured sections, downsampled."""
    source = config.data
    if isinstance(source, SyntheticData):
        stack = data.synthetic_em(sections=source.sections, size=source.size, seed=source.seed)
    elif isinstance(source, FetchData):
        stack = data.fetch(source.name, source.accept_licence).read(source.part, source.lazy)
    else:
        folder = source.model_dump(include={"path", "images", "masks", *_OF_FILES})
        stack = data.read_folder(**folder, classes=config.model.classes)
    return data.downsample(stack, source.downsample)


def check_classes(stack: data.Stack, classes: int) -> None:
    """Refuse a model whose classes the masks don't show: one for 0/1 masks, K for indices 0 to K − 1."""
    refuse_unmarked(stack.masks, stack.weights)
    found = int(stack.masks.max()) + 1
    expected = 2 if classes == 1 else classes
    if found != expected:
        suggestion = 1 if found == 2 else found
        raise ValueError(
            f"`model.classes` must fit the masks, which hold the values 0 to {found - 1}. "
            f"Received: model.classes={classes}; set model.classes={suggestion}."
        )


def split_stack(stack: data.Stack, config: Config) -> data.Split:
    """Split by section, as ranges or as shares; leaking splits are refused."""
    planned = config.data.split
    others = planned.model_dump(include={"validation", "test", "gap"}) | {"groups": _groups(config)}
    if planned.train is not None:
        return data.split_by_section(stack, planned.train, **others)
    return data.split_by_fraction(stack, **{**others, "test": others["test"] or 0.0})


def _refuse_unlabelled(split: data.Split) -> None:
    for name, part in split.parts.items():
        if part.weights is not None and part.weights.max() == 0:
            raise ValueError(
                f"Each part of the split must have pixels with a label. Received: {len(part)} sections of {name} from "
                f"{part.names[0]!r} on, whose masks hold nothing but the value of `data.ignore`. Choose other sections."
            )


def _groups(config: Config) -> str | dict[str, str] | None:
    planned = config.data.split
    if planned.groups_table is None or planned.groups_column is None:
        return planned.groups
    folder = config.data.path if isinstance(config.data, FolderData) else Path()
    return data.read_groups(folder / planned.groups_table, planned.groups_column)


def _dataset(stack: data.Stack, config: Config, training: bool) -> data.TileDataset:
    """Training tiles overlap as the stride says; those of validation and test lie side by side.

    Where the tile's side does not divide the section's, the last tiles overlap, and their common pixels count twice.
    """
    source = config.data
    normalised = stack.with_images(data.normalise(stack.images, source.normalise))
    tiles = data.tile(normalised, source.tile, source.stride if training else None)
    augmentation = _augmentation(normalised.images, config) if training else None
    return data.TileDataset(
        tiles.images,
        tiles.masks,
        batch_size=config.fit.batch_size,
        classes=config.model.classes,
        shuffle=training,
        seed=config.seed,
        augmentation=augmentation,
        weights=tiles.weights,
    )


def _augmentation(images: np.ndarray | data.LazyArray, config: Config) -> data.Augmentation | None:
    """With grey values in standard deviations of the image, also where normalised images have another than 1."""
    if config.data.augmentation is None:
        return None
    settings = config.data.augmentation.model_dump()
    if config.data.normalise == "unit":
        deviation = float(np.mean([image.std(axis=(0, 1)) for image in images]))
        for name in ("brightness", "noise"):
            settings[name] *= deviation
    return data.Augmentation(**settings, seed=config.seed)
