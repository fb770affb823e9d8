"""What five libraries make of ten hard cases of the Dice coefficient, beside its exact value.

    pip install monai medicai segmentation-models tf-keras tqdm scikit-image
    python benchmarks/metric_cases.py [--page docs/metrics.md] [--side 4096]

The exact value is a fraction of Python integers. Each library is used as its documentation says, with its defaults:
labels and logits are handed to it in the dtype of the case, and thresholded by its own means where it has some. One
that is not installed, or can't be imported, has a column that says so. `--page` puts the table into the page, between
its marks.
"""

import argparse
import importlib.metadata
import math
import os
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

TOLERANCE = 5e-7
MARKS = ("<!-- table of benchmarks/metric_cases.py -->", "<!-- end of the table -->")


@dataclass(frozen=True)
class Case:
    """Batches of labels and logits, `(images, height, width, 1)` each; pixels of the label `void` count nowhere."""

    name: str
    batches: list[tuple[np.ndarray, np.ndarray]]
    void: int | None = None
    refusal: bool = False  # whether a ValueError is as good as the right value


def _images(*masks: np.ndarray) -> np.ndarray:
    return np.stack(masks)[..., None]


def _logits(mask: np.ndarray, dtype: str = "float32") -> np.ndarray:
    return np.where(mask, 3, -3).astype(dtype)


def make_cases(side: int, many: int = 1000) -> list[Case]:
    """The ten; `side` is that of the images of the two that are about large ones, and `many` how many follow one."""
    none, pixel, block = (np.zeros((32, 32), "float32") for _ in range(3))
    pixel[7, 9], block[8:24, 8:24] = 1, 1
    two = pixel.copy()
    two[20, 20] = 1
    eight = block.astype("uint8")
    void = np.where(np.arange(32)[:, None] < 12, 255, block).astype("float32")
    half = np.zeros((side, side), "float16")
    half[: side // 2] = 1
    shifted = np.roll(half, side // 8, axis=0)
    large = np.ones((side, side), "float32")
    small = np.ones((1, 1), "float32")
    rng = np.random.default_rng(0)
    sizes = [0.5, 0.4, 0.3, 0.2, 0.02]
    labels = _images(*(rng.random((32, 32)) < size for size in sizes)).astype("float32")
    guesses = np.where(rng.random(labels.shape) < 0.2, 1 - labels, labels)
    return [
        Case("no object, none predicted", [(_images(none), _logits(_images(none)))]),
        Case("no object, one pixel predicted; beside it a perfect image", [_pair((none, pixel), (block, block))]),
        Case("object missed; beside it a perfect image", [_pair((block, none), (block, block))]),
        Case("object of one pixel, found with another", [_pair((pixel, two))]),
        Case("8-bit mask of 0 and 1, perfect", [(_images(eight), _logits(_images(eight)))]),
        Case(
            "8-bit mask of 0 and 255, perfect",
            [(_images(eight * np.uint8(255)), _logits(_images(eight)))],
            refusal=True,
        ),
        Case(f"labels and logits of float16, {side}²", [(_images(half), _logits(_images(shifted), "float16"))]),
        Case("label 255 (void) over a part", [(_images(void), _logits(_images(np.roll(block, 4, axis=0))))], void=255),
        Case(
            "five images in batches of 2, 2 and 1",
            [(labels[i : i + 2], _logits(guesses[i : i + 2])) for i in (0, 2, 4)],
        ),
        Case(
            f"{side}² pixels right, then {many:,} images of one pixel, missed",
            [_pair((large, large)), *[_pair((small, 0 * small))] * many],
        ),
    ]


def _pair(*images: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return _images(*(label for label, _ in images)), _logits(_images(*(guess for _, guess in images)))


def exact(case: Case) -> tuple[Fraction | None, Fraction | None]:
    """Dice of all pixels, and the mean of the images' Dice; None is 0/0."""
    totals, scores = [0, 0], []
    for labels, logits in case.batches:
        for label, logit in zip(labels, logits, strict=True):
            kept = label != case.void
            true, pred = label[kept] > 0, logit[kept] > 0
            above, below = 2 * int(np.sum(true & pred)), int(true.sum()) + int(pred.sum())
            totals = [totals[0] + above, totals[1] + below]
            scores += [Fraction(above, below)] if below else []
    return Fraction(*totals) if totals[1] else None, sum(scores) / len(scores) if scores else None


class NoArgument(Exception):
    """The library leaves it to the user."""


def unetdyn(case: Case, aggregate: str = "dataset") -> float:
    from unetdyn.metrics import Dice

    metric = Dice(from_logits=True, aggregate=aggregate, ignore_label=case.void)
    for labels, logits in case.batches:
        metric.update_state(labels, logits)
    return float(metric.result())


def monai(case: Case, **options: bool) -> float:
    import torch
    from monai.metrics import DiceMetric
    from monai.transforms import Activations, AsDiscrete

    if case.void is not None:
        raise NoArgument
    metric, sigmoid, binary = DiceMetric(**options), Activations(sigmoid=True), AsDiscrete(threshold=0.5)
    for batch in case.batches:
        labels, logits = (torch.from_numpy(np.moveaxis(each, -1, 1).copy()) for each in batch)
        metric(torch.as_tensor(binary(sigmoid(logits))), labels)
    return float(metric.aggregate())


def medicai(case: Case) -> float:
    from medicai.metrics import BinaryDiceMetric

    metric = BinaryDiceMetric(from_logits=True, num_classes=1, ignore_class_ids=case.void)
    for labels, logits in case.batches:
        metric.update_state(labels, logits)
    return float(metric.result())


def segmentation_models(case: Case) -> float:
    import segmentation_models
    import tensorflow as tf
    import tf_keras

    if case.void is not None:
        raise NoArgument
    metric = tf_keras.metrics.MeanMetricWrapper(segmentation_models.metrics.FScore(threshold=0.5))  # as in `fit`
    for labels, logits in case.batches:
        metric.update_state(labels, tf.sigmoid(logits))
    return float(metric.result())


def scikit_learn(case: Case) -> float:
    from sklearn.metrics import f1_score

    if case.void is not None:
        raise NoArgument
    flat = [np.concatenate([batch[i].ravel() for batch in case.batches]) for i in (0, 1)]
    return float(f1_score(flat[0].astype("uint8"), flat[1] > 0))


@dataclass(frozen=True)
class Column:
    """How a library is used, and whether it has the mean of the images or the ratio of all pixels."""

    title: str
    package: str
    score: Callable[[Case], float]
    of_images: bool


COLUMNS = [
    Column("unetdyn", "unetdyn", unetdyn, False),
    Column('unetdyn, `aggregate="image"`', "unetdyn", lambda case: unetdyn(case, "image"), True),
    Column("MONAI", "monai", monai, True),
    Column("MONAI, `ignore_empty=False`", "monai", lambda case: monai(case, ignore_empty=False), True),
    Column("medicai", "medicai", medicai, False),
    Column("segmentation_models", "segmentation-models", segmentation_models, False),
    Column("scikit-learn", "scikit-learn", scikit_learn, False),
]


def cell(column: Column, case: Case) -> tuple[str, bool]:
    """What a library makes of a case, and whether that is right."""
    right = exact(case)[column.of_images]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value = column.score(case)
        except NoArgument:
            return "no argument for it", False
        except ImportError as error:
            return f"not imported: {error}", False
        except Exception as error:  # whatever a library raises is what it makes of the case
            return type(error).__name__, case.refusal and isinstance(error, ValueError)
    text = f"{value:.7g}" + (", warns" if any(issubclass(w.category, UserWarning) for w in caught) else "")
    if right is None:
        return text, math.isnan(value) or value == 1
    return text, abs(value - float(right)) < TOLERANCE


def _written(right: Fraction | None) -> str:
    return "0/0" if right is None else f"{float(right):.7g}"


def table(cases: list[Case], columns: list[Column]) -> str:
    """In Markdown; what is right is bold."""
    head = ["case", "exact, all pixels", "exact, mean of images", *(column.title for column in columns)]
    lines = [head, ["---"] * len(head)]
    for case in cases:
        found = [cell(column, case) for column in columns]
        lines.append([case.name, *map(_written, exact(case)), *(f"**{t}**" if right else t for t, right in found)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def versions() -> str:
    """Of what is measured, and of what it runs on."""
    names = [*dict.fromkeys(column.package for column in COLUMNS), "keras", "tensorflow", "torch", "tf-keras"]
    found = []
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} not installed")
    return ", ".join(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--side", type=int, default=4096)
    arguments = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ |= {"TF_USE_LEGACY_KERAS": "1", "SM_FRAMEWORK": "tf.keras", "TF_CPP_MIN_LOG_LEVEL": "2"}
    text = f"{table(make_cases(arguments.side), COLUMNS)}\n\nVersions: {versions()}."
    print(text)
    if arguments.page:
        page = arguments.page.read_text(encoding="utf-8")
        between = re.escape(MARKS[0]) + ".*" + re.escape(MARKS[1])
        new = re.sub(between, lambda _: f"{MARKS[0]}\n\n{text}\n\n{MARKS[1]}", page, flags=re.DOTALL)
        arguments.page.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
