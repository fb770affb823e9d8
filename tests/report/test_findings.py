"""FindingsDisplay: a panel a finding, with its curves, its epochs and its level."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from unetdyn.analysis import Diagnosis, Finding, read_history
from unetdyn.analysis.diagnosis.finding import LEVELS
from unetdyn.report import FindingsDisplay
from unetdyn.report.findings import COLOURS, MOST
from unetdyn.report.page.svg import WIDTH

EPOCHS = 12
LOGS = {
    "loss": np.geomspace(1.0, 0.01, EPOCHS).tolist(),
    "val_loss": np.geomspace(2.0, 0.02, EPOCHS).tolist(),
    "jaccard": np.linspace(0.1, 0.9, EPOCHS).tolist(),
    "val_jaccard": np.linspace(0.0, 0.8, EPOCHS).tolist(),
}


def finding(code="some.code", level="ill", **parts):
    return Finding(code, level, "name", "seen", "its metric fell", **parts)


def display(*findings, logs=LOGS, level="ill"):
    return FindingsDisplay(read_history(logs), Diagnosis(level, "So it is.", findings, findings), "jaccard").plot()


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def shades(ax):
    return [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in ax.patches]


def test_panel_has_the_curves_of_its_finding_and_their_other_half_thin():
    (ax,) = display(finding(curves=("val_jaccard",))).axes_.values()
    drawn = lines(ax)
    assert list(drawn) == ["validation Jaccard", "training Jaccard"]
    np.testing.assert_array_equal(drawn["validation Jaccard"].get_ydata(), LOGS["val_jaccard"])
    np.testing.assert_array_equal(drawn["training Jaccard"].get_xdata(), np.arange(EPOCHS) + 1)
    assert drawn["training Jaccard"].get_linewidth() < drawn["validation Jaccard"].get_linewidth()
    assert ax.get_ylabel() == "Jaccard"


def test_second_kind_of_value_has_an_axis_on_the_right_and_its_scale_spans_decades():
    shown = display(finding(curves=("val_loss", "val_jaccard")))
    left, right = shown.figure_.axes
    assert (left.get_ylabel(), left.get_yscale(), right.get_ylabel(), right.get_yscale()) == (
        "Jaccard",
        "linear",
        "loss",
        "log",
    )
    assert list(lines(right)) == ["validation loss"]
    legend = [text.get_text() for text in left.get_legend().get_texts()]
    assert legend == ["validation Jaccard", "training Jaccard", "validation loss (right)"]


def test_epochs_are_shaded_as_a_person_counts_them():
    (ax,) = display(finding(curves=("val_jaccard",), epochs=((2, 4), (7, 7)))).axes_.values()
    np.testing.assert_allclose(shades(ax), [(2.5, 5.5), (7.5, 8.5)])
    assert ax.get_xlim() == (0.5, EPOCHS + 0.5)


@pytest.mark.parametrize("level", ["watch", "ill"])
def test_title_has_symbol_name_code_and_reason_in_the_colour_of_the_level(level):
    (ax,) = display(finding(level=level)).axes_.values()
    symbol = {"watch": "!", "ill": "✕"}[level]
    assert ax.get_title(loc="left") == f"{symbol} name (some.code)\nits metric fell"
    assert to_hex(ax._left_title.get_color()) == COLOURS[level]


def test_every_level_has_a_colour():
    assert set(COLOURS) == set(LEVELS)


def test_panels_are_those_of_the_headline_four_at_most_each_with_a_name():
    assert list(display(finding("a"), finding("b"), finding("a")).axes_) == ["a", "b", "a (2)"]
    assert len(display(*[finding(str(place)) for place in range(6)]).axes_) == MOST


def test_finding_without_a_logged_curve_is_shown_on_the_metric_else_the_loss():
    (ax,) = display(finding(curves=("grad_norm",))).axes_.values()
    assert list(lines(ax)) == ["training Jaccard", "validation Jaccard"]
    (ax,) = display(finding(), logs={"loss": [0.5, 0.4]}).axes_.values()
    assert list(lines(ax)) == ["loss"]
    (ax,) = display(finding(), logs={"other": [0.5, 0.4]}).axes_.values()
    assert list(lines(ax)) == ["other"]


def test_run_that_is_well_has_one_panel_that_says_so():
    shown = display(level="good")
    (ax,) = shown.axes_.values()
    assert (list(shown.axes_), shades(ax)) == (["well"], [])
    assert ax.get_title(loc="left") == "✓ Healthy\nSo it is."
    assert list(lines(ax)) == ["training Jaccard", "validation Jaccard"]


@pytest.mark.parametrize("validation_freq", [None, 3])
def test_display_of_a_history_is_its_diagnosis(validation_freq):
    rise = [0.1, 0.3, 0.5, 0.7, 0.8, 0.8]
    logs = {"jaccard": rise * 3, "val_jaccard": [*rise[::2], *rise[::2]]} if validation_freq else {"val_jaccard": rise}
    shown = FindingsDisplay.from_history(logs, validation_freq, window=4)
    curve = shown.curves["val_jaccard"]
    assert curve.epochs.tolist() == (list(range(2, 18, 3)) if validation_freq else list(range(6)))
    assert shown.metric == "jaccard"
    assert shown.diagnosis.findings


def test_real_run_shows_where_the_statistics_lag(shared_runs):
    shown = FindingsDisplay.from_run(shared_runs / "broken-UNet").plot()
    ax = shown.axes_["statistics.lag"]
    assert any(low <= 34 <= high for low, high in shades(ax))  # the Jaccard is 0 in epochs 33 to 36
    assert "learning_rate.high" in shown.axes_


def test_labels_fit_into_a_report():
    shown = display(finding(curves=("val_jaccard", "val_loss"), epochs=((0, 3),)))
    figure = shown.figure_
    figure.set_size_inches(WIDTH, figure.get_size_inches()[1])
    figure.draw_without_rendering()
    box = shown.ax_.get_legend().get_window_extent()
    title = shown.ax_._left_title.get_window_extent()
    assert box.x1 <= figure.bbox.x1
    assert not title.overlaps(box)


def test_names_of_any_kind_are_drawn_as_they_are(tmp_path):
    shown = display(finding(curves=("$x_$",)), logs={"$x_$": [1.0, np.nan, 100.0]})
    shown.save(tmp_path / "picture.png")
