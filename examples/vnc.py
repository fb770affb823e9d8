"""Mitochondria in a fly's nerve cord: published sections trained on, predicted, scored and looked at.

    python examples/vnc.py                                   # fetches them, once you accept their licence
    python examples/vnc.py FOLDER fit.epochs=2 model.filters=4   # yours, of images/ and masks/; a shorter training

Some ten minutes on two cores. What it leaves is in the run directory: the model, `evaluation.json`, `report.html`,
`test_sections.png`.
"""

import sys
from pathlib import Path

from unetdyn import data
from unetdyn.evaluation import write_run_evaluation
from unetdyn.experiment import load_config, run_experiment
from unetdyn.experiment.applied import Applied
from unetdyn.experiment.evaluated import Scoring, evaluate_model
from unetdyn.report import SectionsDisplay, write_report

given = sys.argv[1:]
folder = Path(given.pop(0)) if given and "=" not in given[0] else data.fetch("vnc").folder / "train"

# 1. Train by the recipe: at half resolution, split by section, so that no neighbour of a test section was seen.
recipe = Path(__file__).resolve().parents[1] / "configs" / "vnc_unet.yaml"
config = load_config(recipe, [f"data.path={folder.resolve()}", "data.mask_threshold=0.5", *given])
run = run_experiment(config)

# 2. Predict whole sections, tile by tile, each tile also mirrored and turned; images are made ready as in training. The
# threshold is chosen on validation; the test sections are scored once, with an interval for each figure.
scoring = Scoring(spacing=4.6, unit="nm")  # the distance of pixels in the files
found = evaluate_model(Applied.load(run.path, tta="all"), run.path, scoring=scoring)
write_run_evaluation(found, run.path / "evaluation.json")
print(found)

# 3. Look at them: the test sections that score worst, and the report, which has them too.
SectionsDisplay.from_pictures(found.pictures, found.found.threshold).plot().save(run.path / "test_sections.png")
write_report(run.path, run.path / "report.html")
print(f"see {run.path}/test_sections.png and report.html")
