"""Mitochondria in a fly's nerve cord: published sections trained on, predicted, scored and looked at.

    python examples/vnc.py                                   # fetches them, once you accept their licence
    python examples/vnc.py FOLDER fit.epochs=2 model.filters=4   # yours, of images/ and masks/; a shorter training

Some ten minutes on two cores. What it leaves is in the run directory: the model, the report, `test_sections.png`.
"""

import sys
from pathlib import Path

import numpy as np

from unetdyn import data
from unetdyn.evaluation import RunEvaluation, evaluate_sections, write_run_evaluation
from unetdyn.experiment import load_config, run_experiment
from unetdyn.experiment.prepare import read_stack, split_stack
from unetdyn.inference import load, predict_tiled
from unetdyn.report import PredictionDisplay

given = sys.argv[1:]
folder = Path(given.pop(0)) if given and "=" not in given[0] else data.fetch("vnc").folder / "train"

# 1. Train by the recipe: at half resolution, split by section, so that no neighbour of a test section was seen.
recipe = Path(__file__).resolve().parents[1] / "configs" / "vnc_unet.yaml"
config = load_config(recipe, [f"data.path={folder.resolve()}", "data.mask_threshold=0.5", *given])
run = run_experiment(config)

# 2. Predict whole sections, tile by tile, each tile also mirrored and turned; images are made ready as in training.
model, stored = load(run.path)
split = split_stack(read_stack(config), config)


def probabilities(part):
    ready = {"normalise": stored.normalise, "tile": stored.tile, "axes": "zyxc"}
    return predict_tiled(model, np.asarray(part.images), tta="all", **ready)


# 3. The threshold is chosen on validation; the test sections are scored once, with an interval for each figure.
how = {"spacing": 4.6 * config.data.downsample, "unit": "nm"}  # of a pixel
on_validation = evaluate_sections(probabilities(split.validation), split.validation.masks, **how)
threshold = on_validation.thresholds.best_threshold
predicted = probabilities(split.test)
scores = evaluate_sections(predicted, split.test.masks, threshold=threshold, names=split.test.names, **how)
write_run_evaluation(RunEvaluation("test", scores, on_validation, "validation"), run.path / "evaluation.json")
print(scores)

# 4. Look at them.
shown = {"epoch": [config.fit.epochs - 1], "label": split.test.names, "threshold": threshold}
picture = PredictionDisplay(split.test.images, split.test.masks[..., 0], predicted[None], **shown)
picture.plot().save(run.path / "test_sections.png")
print(f"threshold {threshold:g}, chosen on validation; see {run.path}/test_sections.png")
