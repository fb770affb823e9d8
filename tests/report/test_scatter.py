"""What a headline says of the loss's scatter."""

import numpy as np
import pytest

from unetdyn.analysis import STABILITY_CLASSES, read_history
from unetdyn.report import HistoryDisplay, StabilityDisplay
from unetdyn.report.describe import describe
from unetdyn.report.scatter import epochs_fallen
from unetdyn.runs import RunWriter
from unetdyn.runs import open as open_run

CALM = 0.005 + 0.0001 * np.tile([1.0, -1.0], 12)
RISES = np.linspace(0.1, 0.8, 24)
GONE = np.where(np.isin(np.arange(24), [14, 15, 16, 20]), 0.0, RISES)


@pytest.mark.parametrize(
    ("values", "epochs"), [(RISES, 0), (GONE, 4), (np.where(np.arange(24) == 14, 0.0, RISES), 0), (RISES[:2], 0)]
)
def test_epochs_below_half_are_counted_where_they_are_no_accident(values, epochs):
    assert epochs_fallen(read_history({"val_jaccard": values.tolist()}), "jaccard") == epochs


def headlines(logs, folder):
    writer = RunWriter(folder)
    for epoch in range(24):
        writer.log_epoch(epoch, {name: float(values[epoch]) for name, values in logs.items()})
    writer.finish()
    run = open_run(writer.path)
    history = HistoryDisplay.from_run(run).plot().axes_["loss"].get_title(loc="right")
    return [history, StabilityDisplay.from_run(run).plot().ax_.get_title(loc="left"), describe([run])]


def test_metric_that_fell_to_nothing_gives_no_headline_a_class(tmp_path):
    for text in headlines({"loss": CALM, "val_loss": CALM, "val_jaccard": GONE}, tmp_path / "gone"):
        assert not any(row.label in text for row in STABILITY_CLASSES)
        assert "fell in 4 epochs" in text.replace("\n", " ")
    for text in headlines({"loss": CALM, "val_loss": CALM, "val_jaccard": RISES}, tmp_path / "whole"):
        assert "Excellent; 2.1 % of the mean: Good" in text.replace("\n", " ")
