"""What is trained: three architectures, two recipes, two ways to split."""

from collections.abc import Sequence
from dataclasses import dataclass, field

ARCHITECTURES = ("UNet", "AttentionUNet", "AttentionResUNet")


@dataclass(frozen=True)
class Recipe:
    """How the studies (docs/studies.md) trained, before and after they mended it.

    Both have the tutorial's networks (`variant="bnsreenu"`) and the focal loss with γ = 2, as theirs had.
    """

    few_sections: bool
    batch_size: int
    optimizer: dict[str, float] = field(default_factory=dict)
    chosen_by: str = "val_jaccard"
    patience: int | None = None
    plateau: int | None = None


RECIPES = {
    "broken": Recipe(True, 8, {"learning_rate": 1e-2}, chosen_by="val_soft_jaccard"),
    "mended": Recipe(False, 16, {"learning_rate": 1e-3, "clipnorm": 1.0}, patience=15, plateau=5),
}
SPLITS = ("random", "honest")
TOLD_FIRST = (("broken", "random"), ("mended", "random"), ("mended", "honest"), ("broken", "honest"))
"""Recipe and split in the order in which they are trained: should time run out, the most telling are there."""


@dataclass(frozen=True)
class Combination:
    """One training."""

    architecture: str
    recipe: str
    split: str
    seed: int

    @property
    def id(self) -> str:
        """The name of its run directory."""
        return f"{self.architecture}-{self.recipe}-{self.split}-{self.seed}"


def combinations(only: Sequence[str] = (), seeds: Sequence[int] = (0,)) -> list[Combination]:
    """What is to be trained, the most telling first.

    Args:
        only: Architectures, recipes and splits; of each of the three, all where none is named.
        seeds: Of the weights, the order of the tiles, and the random split.

    Raises:
        ValueError: If a word of `only` is none of these.
    """
    known = (*ARCHITECTURES, *RECIPES, *SPLITS)
    for word in only:
        if word not in known:
            raise ValueError(f"`only` must name some of {', '.join(known)}. Received: {word!r}.")

    def wanted(word: str, of: Sequence[str]) -> bool:
        return word in only or not set(only) & set(of)

    return [
        Combination(architecture, recipe, split, seed)
        for seed in seeds
        for recipe, split in TOLD_FIRST
        for architecture in ARCHITECTURES
        if wanted(recipe, tuple(RECIPES)) and wanted(split, SPLITS) and wanted(architecture, ARCHITECTURES)
    ]
