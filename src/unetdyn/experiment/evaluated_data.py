"""Which sections a model is evaluated on: data that is named, or a part of what its run was trained from."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unetdyn import data, runs
from unetdyn._checks import check_choice
from unetdyn.data.masks import Foreground
from unetdyn.evaluation.section_pictures import NOT_COUNTED
from unetdyn.experiment.config import Config
from unetdyn.experiment.load import ConfigError
from unetdyn.experiment.prepare import read_stack, split_stack
from unetdyn.experiment.resume import configuration_of

SPLITS = ("test", "validation")


@dataclass(frozen=True)
class Part:
    """Sections with masks.

    Attributes:
        of: Which, in a word or as a path.
        stack: They, in the size that the model takes.
    """

    of: str
    stack: data.Stack

    def masks(self, label: int) -> Iterator[NDArray[np.uint8]]:
        """One a section: 1 where it is the object, and 255 where nothing is counted.

        Args:
            label: The object's class.
        """
        for place in range(len(self.stack)):
            mask = (np.asarray(self.stack.masks[place])[..., 0] == label).astype(np.uint8)
            if self.stack.weights is not None:
                mask[np.asarray(self.stack.weights[place])[..., 0] == 0] = NOT_COUNTED
            yield mask


@dataclass(frozen=True)
class Named:
    """Data that is not the run's own.

    Attributes:
        path: The folder that holds images and masks; None where these are two files.
        images: Name of the images in it, or their file.
        masks: That of the masks.
        ignore: The value of pixels without a label.
        foreground: "nonzero" where masks hold numbers of objects.
    """

    path: Path | None
    images: str
    masks: str
    ignore: float | None = None
    foreground: Foreground | None = None

    def read(self, classes: int, factor: int) -> Part:
        """In the size that the model takes, left on disk where that can be.

        Args:
            classes: Of the model.
            factor: How many times smaller its images were made.
        """
        options = {"classes": classes, "ignore": self.ignore, "foreground": self.foreground}
        if self.path is None:
            stack = data.read_volume(self.images, self.masks, **options)  # type: ignore[arg-type]
        else:
            stack = data.read_folder(self.path, self.images, self.masks, **options)  # type: ignore[arg-type]
        return Part(str(self.path or self.images), data.downsample(stack, factor))


def parts_of(run: runs.Run, split: str | None) -> dict[str, Part]:
    """The parts of what a run was trained from that it did not learn from: "test" and "validation".

    Args:
        run: The run.
        split: The one that must be there; None: whichever are.

    Raises:
        ConfigError: If the run was not made from a configuration, or has no such part.
        ValueError: If its data can't be read any more.
    """
    if split is not None:
        check_choice("split", split, SPLITS)
    config: Config = configuration_of(run)
    found = split_stack(read_stack(config), config).parts
    if split is not None and split not in found:
        raise ConfigError(
            f"The configuration of {run.path} must have the split that is evaluated. Received: {split!r}, and it has "
            f"{', '.join(name for name in found)}. Name other data, with DATA."
        )
    return {name: Part(name, found[name]) for name in SPLITS if name in found}
