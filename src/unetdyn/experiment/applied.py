"""A trained model with all that applying it needs: how images are made ready, tiles, copies, progress."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from unetdyn import inference
from unetdyn.inference.progress import Told
from unetdyn.runs.input_recipe import InputRecipe, Normalise, checked_normalise


@dataclass(frozen=True)
class Applied:
    """A model, and how `predict_tiled` is called with it.

    Attributes:
        model: The model.
        recipe: What it takes; None where nobody has said it.
        options: Arguments of `predict_tiled`: `overlap`, `tta`, `batch_size`, `progress`.
        tile: As it was asked for, or as of the recipe; None: the model's own.
        normalise: As it was asked for, or as of the recipe.
    """

    model: keras.Model
    recipe: InputRecipe | None
    options: dict[str, Any]
    tile: Sequence[int] | int | None
    normalise: Normalise

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        tile: Sequence[int] | int | None = None,
        normalise: Normalise | None = None,
        overlap: float = 0.5,
        tta: str | None = None,
        batch_size: int = 8,
        progress: bool | Told | None = None,
    ) -> "Applied":
        """From a run directory or a `.keras` file.

        Args:
            path: Of either.
            tile: As of `predict_tiled`, and so are all others.
            normalise: None (default): as the recipe says.
            overlap: Default 0.5.
            tta: Default None.
            batch_size: Default 8.
            progress: Default None.

        Raises:
            FileNotFoundError: If it is not there.
            ValueError: If the file is damaged, or nobody says how images are made ready.
        """
        model, recipe = inference.load(path)
        if normalise is None and recipe is None:
            raise ValueError(
                "`normalise` must say how images were made ready in training: 'per_image', 'unit', 'none', or two "
                f"numbers, mean and deviation. Received: {path}, which does not say it. "
                "`unetdyn.inference.store_input` keeps it in the file."
            )
        how = checked_normalise(normalise if recipe is None or normalise is not None else recipe.normalise)
        if tile is None and recipe is not None and None in _sides(model):
            tile = recipe.tile
        options = {"overlap": overlap, "tta": tta, "batch_size": batch_size, "progress": progress}
        return cls(model, recipe, options, tile, how)

    @property
    def factor(self) -> int:
        """How many times smaller on each side its images were made."""
        return 1 if self.recipe is None else self.recipe.downsample

    @property
    def classes(self) -> int:
        """How many channels it gives, 1 where it does not say so."""
        shape = self.model.output_shape
        return int(shape[-1] or 1) if isinstance(shape, tuple) and shape else 1

    @property
    def sides(self) -> tuple[int | None, ...]:
        """Of what the model takes, without batch and channels; None where any does."""
        return _sides(self.model)

    @property
    def is_3d(self) -> bool:
        """Whether it takes volumes."""
        return len(self.sides) == 3

    def predict(self, source: Any, out: Any = None, **options: Any) -> Any:
        """`predict_tiled` of images of the size that the model takes.

        Args:
            source: As of `predict_tiled`.
            out: Likewise.
            **options: Further arguments, which win over those of this object.
        """
        logits = None if self.recipe is None or self.recipe.output is None else self.recipe.output == "logits"
        known = {"tile": self.tile, "normalise": self.normalise, "from_logits": logits}
        return inference.predict_tiled(self.model, source, out, **{**known, **self.options, **options})


def _sides(model: keras.Model) -> tuple[int | None, ...]:
    """Of what it takes, without batch and channels; empty where that is no one image."""
    shape = model.input_shape
    return tuple(shape[1:-1]) if isinstance(shape, tuple) else ()
