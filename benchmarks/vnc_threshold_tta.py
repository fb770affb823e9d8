"""What is a trained run's test Jaccard with the threshold chosen on validation, and with its tiles mirrored and turned?

python benchmarks/vnc_threshold_tta.py RUN --data PATH --json scores.json
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn import data, runs
from unetdyn.analysis import threshold_curve
from unetdyn.evaluation import Estimate, PixelCounts, bootstrap_over_sections, pixel_counts
from unetdyn.experiment import parse_config
from unetdyn.experiment.applied import Applied
from unetdyn.experiment.prepare import read_stack, split_stack

TTA = (None, "mirrors", "all")
HALF = 0.5


@dataclass(frozen=True)
class Row:
    """One way to make masks of the model, and its Jaccard on the test sections.

    Attributes:
        tta: As of `predict_tiled`.
        threshold: Which probabilities are exceeded by the foreground.
        chosen: Whether it was chosen on validation, or is 0.5.
        validation: Jaccard of all validation pixels.
        jaccard: Of all test pixels, with its interval over sections.
        gain: Over 0.5 without augmentation on the same sections, with its interval.
        sections: Jaccard of each test section.
    """

    tta: str | None
    threshold: float
    chosen: bool
    validation: float
    jaccard: Estimate
    gain: Estimate
    sections: list[float]


def rows(
    validation: dict[str | None, NDArray[Any]],
    of_validation: NDArray[Any],
    test: dict[str | None, NDArray[Any]],
    of_test: NDArray[Any],
) -> list[Row]:
    """Each augmentation at 0.5, and at the threshold with the best validation Jaccard; the test decides nothing.

    Args:
        validation: Probabilities `(sections, height, width)` by augmentation, the first of them none.
        of_validation: Masks of 0 and 1.
        test: Likewise.
        of_test: Likewise.
    """
    plain, made = counts(test[None], of_test, HALF), []
    for tta, probabilities in validation.items():
        curve = threshold_curve(of_validation, probabilities)
        ways = ((False, HALF, curve.jaccard_at_half), (True, curve.best_threshold, curve.best_jaccard))
        for chosen, threshold, reached in ways:
            found = counts(test[tta], of_test, threshold)
            columns = [(a.tp, a.fp, a.fn, b.tp, b.fp, b.fn) for a, b in zip(found, plain, strict=True)]
            made.append(
                Row(
                    tta,
                    threshold,
                    chosen,
                    validation=reached,
                    jaccard=bootstrap_over_sections(found, "jaccard"),
                    gain=bootstrap_over_sections(np.array(columns, dtype=np.float64), gained),
                    sections=[each.scores().jaccard for each in found],
                )
            )
    return made


def counts(probabilities: NDArray[Any], masks: NDArray[Any], threshold: float) -> list[PixelCounts]:
    """Of each section, of what exceeds the threshold."""
    return [pixel_counts(p > threshold, mask) for p, mask in zip(probabilities, masks, strict=True)]


def gained(*columns: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """How much more Jaccard the first TP, FP and FN have than the next three, of all pixels of the sections."""
    tp, fp, fn, tp_before, fp_before, fn_before = (column.sum(axis=axis) for column in columns)
    return tp / (tp + fp + fn) - tp_before / (tp_before + fp_before + fn_before)


def predicted(applied: Applied, part: data.Stack) -> dict[str | None, Any]:
    """Probabilities of whole sections by augmentation, each section made ready as in training."""
    return {tta: applied.predict(np.asarray(part.images), axes="zyxc", tta=tta) for tta in TTA}


def table(made: Sequence[Row]) -> str:
    """In Markdown."""
    lines = ["| augmentation | threshold | validation | test Jaccard [95 %] | gain [95 %] | each section |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for row in made:
        threshold = f"{row.threshold:.2f}" + ", chosen on validation" * row.chosen
        score, gain = (
            f"{each.value:{sign}.3f} [{each.low:{sign}.3f}, {each.high:{sign}.3f}]"
            for each, sign in ((row.jaccard, ""), (row.gain, "+"))
        )
        single = ", ".join(f"{value:.3f}" for value in row.sections)
        lines.append(f"| {row.tta or 'none'} | {threshold} | {row.validation:.3f} | {score} | {gain} | {single} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="directory of a run of configs/vnc_unet.yaml")
    parser.add_argument("--data", help="folder of images/ and masks/, where it isn't where the run was trained")
    parser.add_argument("--json", type=Path, help="file for the figures")
    asked = parser.parse_args()
    run = runs.open(asked.run)
    source = dict(run.config["data"]) | ({"path": asked.data} if asked.data else {})
    config = parse_config({**run.config, "data": source})
    split = split_stack(read_stack(config), config)
    if split.test is None:
        parser.error("the run's split must have test sections")
    applied = Applied.load(asked.run, progress=True)
    validation, test = (predicted(applied, part) for part in (split.validation, split.test))
    made = rows(validation, split.validation.masks, test, split.test.masks)
    print(table(made))
    said = (f"{name} {run.summary[name]:.3f}" for name in ("best_val_jaccard", "test_jaccard") if name in run.summary)
    print(f"\n{len(split.validation)} validation and {len(split.test)} test sections; intervals by the bootstrap over")
    print(f"sections, too narrow where these are few. The run itself, tile by tile: {', '.join(said)}.")
    if asked.json:
        asked.json.write_text(json.dumps([asdict(row) for row in made], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
