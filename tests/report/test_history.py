"""HistoryDisplay: what the drawn lines, shades and labels hold."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from unetdyn.report import HistoryDisplay
from unetdyn.runs import RunWriter

LOSS = [0.9, 0.6, 0.5, 0.45, 0.43]
VALIDATION = [0.95, 0.7, 0.55, 0.56, 0.54]
HISTORY = {
    "loss": LOSS,
    "val_loss": VALIDATION,
    "jaccard": [0.1, 0.4, 0.6, 0.7, 0.75],
    "val_jaccard": [0.1, 0.3, 0.5, 0.6, 0.65],
    "learning_rate": [1e-3, 1e-3, 1e-4, 1e-4, 1e-5],
}


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def points(line):
    return np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata(), dtype=float).tolist()


def shades(ax):
    return [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in ax.patches]


def test_display_draws_every_series_over_epochs_from_one():
    display = HistoryDisplay.from_history(HISTORY, window=3).plot()
    assert list(display.axes_) == ["loss", "jaccard", "learning_rate"]
    for panel, name in (("loss", "loss"), ("jaccard", "jaccard")):
        drawn = lines(display.axes_[panel])
        assert points(drawn["training"]) == ([1, 2, 3, 4, 5], HISTORY[name])
        assert points(drawn["validation"]) == ([1, 2, 3, 4, 5], HISTORY[f"val_{name}"])
    rate = display.axes_["learning_rate"]
    assert points(rate.get_lines()[0])[1] == HISTORY["learning_rate"]
    assert rate.get_yscale() == "log"
    assert [ax.get_ylabel() for ax in display.axes_.values()] == ["loss", "Jaccard", "learning rate"]
    assert rate.get_xlabel() == "epoch"
    assert display.axes_["loss"].get_xlim() == (0.5, 5.5)


def test_display_shades_the_window_and_says_its_class():
    display = HistoryDisplay.from_history(HISTORY, window=3).plot()
    assert shades(display.axes_["loss"]) == [(2.5, 5.5)]
    assert shades(display.axes_["jaccard"]) == []
    assert display.stability.sigma == pytest.approx(0.01)
    title = display.axes_["loss"].get_title(loc="right")
    words = title.replace("\n", " ")
    assert words == f"validation loss, last 3 (shaded): σ = 0.01, {display.stability.classes}"


def test_display_of_a_short_history_shades_nothing_and_says_why():
    display = HistoryDisplay.from_history(HISTORY).plot()
    assert shades(display.axes_["loss"]) == []
    assert display.axes_["loss"].get_title(loc="right") == "stability not defined: 5 of 10 values"


def test_display_of_one_epoch_shows_points():
    display = HistoryDisplay.from_history({name: values[:1] for name, values in HISTORY.items()}).plot()
    assert points(lines(display.axes_["loss"])["training"]) == ([1], LOSS[:1])
    assert lines(display.axes_["loss"])["training"].get_marker() == "o"
    ax = display.axes_["learning_rate"]
    left, right = ax.get_xlim()
    assert [tick for tick in ax.get_xticks() if left <= tick <= right] == [1]


def test_display_without_validation_measures_the_training_loss():
    display = HistoryDisplay.from_history({"loss": LOSS}, window=3).plot()
    assert list(display.axes_) == ["loss"]
    assert display.axes_["loss"].get_title(loc="right").startswith("loss, last 3 (shaded)")
    assert "validation" not in lines(display.axes_["loss"])


@pytest.mark.parametrize(("frequency", "validated"), [(2, [2, 4]), ([1, 5], [1, 5]), (5, [5])])
def test_display_puts_rare_validations_where_they_were(frequency, validated):
    history = {"loss": LOSS, "val_loss": VALIDATION[: len(validated)]}
    display = HistoryDisplay.from_history(history, validation_freq=frequency, window=2).plot()
    assert points(lines(display.axes_["loss"])["validation"])[0] == validated
    if len(validated) == 2:
        assert shades(display.axes_["loss"]) == [(validated[0] - 0.5, validated[1] + 0.5)]


def test_display_asks_for_the_validation_frequency():
    with pytest.raises(ValueError, match=r"values: val_loss 1; as `validation_freq`, each of 3, 4, 5 would fit"):
        HistoryDisplay.from_history({"loss": LOSS, "val_loss": [0.5]})


def test_display_of_a_history_that_carried_on_counts_its_epochs():
    history = SimpleNamespace(history={"loss": [0.5, 0.4]}, epoch=[7, 8])
    assert points(lines(HistoryDisplay.from_history(history).plot().axes_["loss"])["training"])[0] == [8, 9]


def test_display_takes_late_keys_to_belong_to_the_last_epochs():
    history = HISTORY | {"stability": [0.1, 0.05, 0.01], "val_jaccard_stability": [0.2]}
    display = HistoryDisplay.from_history(history)
    assert display.series["stability"][0].tolist() == [2, 3, 4]
    assert list(display.plot().axes_) == ["loss", "jaccard", "learning_rate"]


def test_display_marks_what_is_not_finite():
    values = [0.9, 0.5, math.nan, math.inf, 0.4]
    display = HistoryDisplay.from_history({"loss": LOSS, "val_loss": values}, window=3).plot()
    drawn = lines(display.axes_["loss"])
    np.testing.assert_array_equal(points(drawn["validation"])[1], [0.9, 0.5, math.nan, math.nan, 0.4])
    assert points(drawn["validation not finite"])[0] == [3, 4]
    assert "training not finite" not in drawn
    assert display.axes_["loss"].get_title(loc="right").endswith("σ not finite, Very poor")
    assert display.axes_["loss"].get_ylim()[1] < 1.0


def test_display_of_a_loss_that_was_never_finite_can_be_saved(tmp_path):
    HistoryDisplay.from_history({"loss": [math.nan] * 3}, window=2).save(tmp_path / "a.png")
    assert (tmp_path / "a.png").is_file()


@pytest.mark.parametrize(
    ("names", "metric", "panel"),
    [
        (["dice", "jaccard"], None, "jaccard"),
        (["dice", "iou"], None, "dice"),
        (["dice", "iou"], "iou", "iou"),
        ([], None, None),
    ],
)
def test_display_chooses_the_metric(names, metric, panel):
    history = {"loss": LOSS} | dict.fromkeys(names, LOSS)
    display = HistoryDisplay.from_history(history, metric=metric).plot()
    assert list(display.axes_) == ["loss"] + ([panel] if panel else [])


def test_display_from_run_knows_its_epochs_by_itself(tmp_path):
    writer = RunWriter(tmp_path)
    for epoch in range(4):
        validation = {"val_loss": VALIDATION[epoch]} if epoch % 2 else {}
        writer.log_epoch(epoch, {"loss": LOSS[epoch], "learning_rate": 0.1, "seconds": 1.0} | validation)
    display = HistoryDisplay.from_run(tmp_path, window=2).plot()
    assert list(display.axes_) == ["loss", "learning_rate"]
    assert points(lines(display.axes_["loss"])["validation"]) == ([2, 4], VALIDATION[1:4:2])


def test_display_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match=r"A history must hold `loss` of at least one epoch. Received: nothing"):
        HistoryDisplay.from_history({})
    with pytest.raises(ValueError, match=r"`metric` must be a logged value. Received: metric='dice'; logged were loss"):
        HistoryDisplay.from_history({"loss": LOSS}, metric="dice")
    with pytest.raises(ValueError, match=r"`window` must be a whole number of epochs"):
        HistoryDisplay.from_history({"loss": LOSS}, window=1)


@pytest.mark.parametrize(
    ("first", "scale"), [(1.9, "linear"), (2.0, "log"), (-1.0, "linear"), (float("nan"), "linear"), (0.0, "linear")]
)
def test_history_display_loss_axis_is_logarithmic_from_a_factor_of_20(first: float, scale: str) -> None:
    display = HistoryDisplay.from_history({"loss": [first, 0.1, 0.2], "val_loss": [0.3, 0.2, 0.1]}).plot()
    assert display.axes_["loss"].get_yscale() == scale


def test_best_epoch_of_the_metric_is_ringed():
    history = HISTORY | {"val_jaccard": [0.1, 0.3, math.nan, 0.6, 0.55]}
    ax = HistoryDisplay.from_history(history).plot().axes_["jaccard"]
    ring = next(line for line in ax.get_lines() if line.get_markerfacecolor() == "none")
    assert points(ring) == ([4], [0.6])
    title = ax.get_title(loc="right").replace("\n", " ")
    assert title == "best validation 0.6 at epoch 4, 0.55 at the end"


def test_best_of_a_metric_that_should_fall_is_its_lowest():
    ax = HistoryDisplay.from_history({"loss": LOSS, "absolute_error": LOSS}).plot().axes_["absolute_error"]
    assert ax.get_title(loc="right").startswith("best training 0.43 at epoch 5")


def test_metric_that_never_was_a_number_says_so():
    ax = HistoryDisplay.from_history({"loss": LOSS, "jaccard": [math.nan] * 5}).plot().axes_["jaccard"]
    assert ax.get_title(loc="right") == "never a number"


def test_many_epochs_have_no_markers_and_keep_all_values():
    values = np.linspace(1, 0.1, 500).tolist()
    drawn = lines(HistoryDisplay.from_history({"loss": values}).plot().axes_["loss"])["training"]
    assert drawn.get_marker() == ""
    assert points(drawn)[1] == values


def test_display_marks_where_each_stage_begins(tmp_path):
    writer = RunWriter(tmp_path / "run")
    for epoch in range(5):
        writer.log_epoch(epoch, {name: values[epoch] for name, values in HISTORY.items()})
    writer.declare(stages=[{"name": "coarse", "epoch": 0, "setup": {}}, {"name": "fine_$x$", "epoch": 3, "setup": {}}])
    display = HistoryDisplay.from_run(tmp_path / "run", window=3).plot()
    assert display.stages == ((0, "coarse"), (3, "fine_$x$"))
    for ax in display.axes_.values():
        dashed = [points(line)[0] for line in ax.get_lines() if line.get_linestyle() == "--"]
        assert dashed == [[0.5, 0.5], [3.5, 3.5]]  # left of epochs 1 and 4
    names = {panel: [text.get_text() for text in ax.texts] for panel, ax in display.axes_.items()}
    assert names == {"loss": ["coarse", r"fine_\$x\$"], "jaccard": [], "learning_rate": []}
    assert not any(
        line.get_linestyle() == "--"
        for ax in HistoryDisplay.from_history(HISTORY).plot().axes_.values()
        for line in ax.get_lines()
    )
