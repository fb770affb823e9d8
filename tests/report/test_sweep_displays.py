"""The displays of many runs: every run where it belongs, means with their intervals, one scale for all panels."""

import numpy as np
import pytest
from scipy import stats

from unetdyn.analysis import Curve, Share, assumptions, stability_exponent, summarise
from unetdyn.analysis.comparison.run_table import RunTable
from unetdyn.report import (
    CellCurvesDisplay,
    ExponentDisplay,
    ImportanceDisplay,
    InteractionsDisplay,
    MainEffectsDisplay,
    ResidualsDisplay,
)
from unetdyn.report.levels import Scatter
from unetdyn.report.page.svg import inline_svg

JACCARDS = {
    ("UNet", 8): [0.60, 0.62],
    ("UNet", 16): [0.64, 0.66],
    ("AttentionUNet", 8): [0.70, 0.74],
    ("AttentionUNet", 16): [0.71, 0.69],
}
CURVES = {
    "a": [Curve(np.arange(4), np.array([0.1, 0.5, 0.6, 0.7]))],
    "b": [Curve(np.arange(3), np.array([0.2, 0.4, 0.3]))],
}


def runs():
    return [
        summarise(
            {"val_jaccard": [jaccard]},
            f"{name}-{batch}-{seed}",
            {"architecture": name, "batch_size": batch, "seed": seed, "learning_rate": 1e-3 * (1 + 4 * seed)},
        )
        for (name, batch), jaccards in JACCARDS.items()
        for seed, jaccard in enumerate(jaccards)
    ]


TABLE = RunTable("made up", tuple(runs()), {"architecture": ("UNet", "AttentionUNet"), "batch_size": (8, 16)})
SCATTER = Scatter(0.02, 4)


def diamonds(ax, marker):
    (line,) = [line for line in ax.get_lines() if line.get_marker() == marker]
    return line.get_xdata(), line.get_ydata()


def bars(ax):
    """Ends of every interval, from the left."""
    ends = [segment for collection in ax.collections for segment in collection.get_segments()]
    return sorted((x[0], y[0], y[1]) for x, y in (np.transpose(end) for end in ends))


def test_interval_of_a_mean_is_students():
    expected = stats.t.ppf(0.975, 4) * 0.02 / 2
    assert SCATTER.half_width(4) == pytest.approx(expected)
    assert np.isnan(Scatter(0.02, 0).half_width(4))


def test_main_effects_show_every_run_and_the_means_of_the_levels():
    display = MainEffectsDisplay.from_table(TABLE, "performance", SCATTER, "Jaccard").plot()
    ax = display.axes_["architecture"]
    dots = np.concatenate([line.get_ydata() for line in ax.get_lines() if line.get_marker() == "o"])
    assert sorted(dots) == sorted(value for values in JACCARDS.values() for value in values)
    x, means = diamonds(ax, "D")
    np.testing.assert_allclose(means, [0.63, 0.71])
    assert list(x) == [0, 1]
    half = SCATTER.half_width(4)
    np.testing.assert_allclose([bar[1:] for bar in bars(ax)], [[0.63 - half, 0.63 + half], [0.71 - half, 0.71 + half]])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["UNet", "AttentionUNet"]
    assert ax.get_ylim() == display.axes_["batch_size"].get_ylim()
    assert ax.get_title(loc="left") == "8 runs: dots; means with 95 % intervals"


def test_main_effects_without_repetitions_have_no_intervals_and_say_so():
    display = MainEffectsDisplay({"depth": {2: [0.5], 3: [0.6]}}, Scatter(float("nan"), 0), "Jaccard").plot()
    assert bars(display.ax_) == []
    title = display.ax_.get_title(loc="left").replace("\n", " ")
    assert title == "2 runs: dots and means, whose intervals can't be told"


def test_sampled_factors_stand_at_their_numbers():
    levels = {10.0**-place: [0.5 + 0.1 * place] for place in (4, 3, 2)}
    ax = MainEffectsDisplay({"learning_rate": levels}, SCATTER, "Jaccard", sampled=("learning_rate",)).plot().ax_
    (dots,) = ax.get_lines()
    np.testing.assert_allclose(dots.get_xdata(), [1e-4, 1e-3, 1e-2])
    assert ax.get_xscale() == "log"


def test_interactions_have_a_line_for_each_level_of_the_second_factor():
    display = InteractionsDisplay.from_table(TABLE, "performance", SCATTER, "Jaccard").plot()
    ax = display.axes_["architecture × batch_size"]
    legend = ax.get_legend()
    assert (legend.get_title().get_text(), [each.get_text() for each in legend.get_texts()]) == (
        "batch size",
        ["8", "16"],
    )
    lines = {line.get_label(): line.get_ydata() for line in ax.get_lines() if line.get_label() in ("8", "16")}
    np.testing.assert_allclose(lines["8"], [0.61, 0.72])
    np.testing.assert_allclose(lines["16"], [0.65, 0.70])
    assert len(bars(ax)) == 4


def test_interactions_say_which_lines_are_left_out():
    pairs = {(a, b): [0.5] for a in range(9) for b in range(9)}
    ax = InteractionsDisplay({("one", "other"): pairs}, SCATTER, "Jaccard").plot().ax_
    assert ax.get_legend().get_title().get_text() == "other, 2 more are not drawn"


@pytest.mark.parametrize(
    "empty", [lambda: MainEffectsDisplay({}, SCATTER, ""), lambda: InteractionsDisplay({}, SCATTER, "")]
)
def test_displays_of_nothing_are_refused(empty):
    with pytest.raises(ValueError, match=r"or more\. Received: none\."):
        empty()


def test_curves_of_cells_have_one_scale_and_a_mean_where_all_runs_are():
    long, short = CURVES["a"][0], CURVES["b"][0]
    display = CellCurvesDisplay({"both": [long, short], "one": [long]}, "Jaccard").plot()
    both, one = display.axes_.values()
    thick = max(both.get_lines(), key=lambda line: line.get_linewidth())
    assert thick.get_xdata().tolist() == [1, 2, 3]
    np.testing.assert_allclose(thick.get_ydata(), [0.15, 0.45, 0.45])
    assert (both.get_xlim(), both.get_ylim()) == (one.get_xlim(), one.get_ylim())
    assert both.get_xlim() == (0.5, 4.5)
    alone = CellCurvesDisplay({"one": [long]}, "Jaccard", among=[Curve(np.arange(9), np.full(9, 5.0))]).plot().ax_
    assert alone.get_xlim() == (0.5, 9.5)
    assert alone.get_ylim()[1] > 5


def test_curves_of_a_table_are_by_cell():
    curve = CURVES["a"][0]
    table = RunTable("made up", TABLE.runs, TABLE.factors, curves={run.name: curve for run in TABLE.runs[:3]})
    cells = CellCurvesDisplay.from_table(table, "Jaccard").cells
    assert {title: len(curves) for title, curves in cells.items()} == {
        "UNet, batch size 8": 2,
        "UNet, batch size 16": 1,
    }


def test_exponent_has_the_fitted_line_and_every_run():
    rates, sigmas = [1e-4, 1e-3, 1e-2], [0.001, 0.0033, 0.0095]
    found = stability_exponent(rates, sigmas)
    ax = ExponentDisplay({"UNet": (rates, sigmas)}, found, "σ").plot().ax_
    dots, line = ax.get_lines()
    assert dots.get_xdata().tolist() == rates
    np.testing.assert_allclose(line.get_ydata(), found.constant * np.array([1e-4, 1e-2]) ** found.exponent)
    assert "n = 3" in ax.get_title(loc="left")


def test_exponent_without_a_line_says_why():
    groups = {"UNet": ([1e-3, 1e-3], [0.1, 0.2])}
    ax = ExponentDisplay(groups, stability_exponent(*groups["UNet"]), "σ").plot().ax_
    assert len(ax.get_lines()) == 1
    assert "no line, because it needs runs with two different" in ax.get_title(loc="left").replace("\n", " ")


def test_exponent_of_a_table_tells_architectures_apart():
    display = ExponentDisplay.from_table(TABLE, "σ")
    assert list(display.groups) == ["UNet", "AttentionUNet"]
    assert display.groups["UNet"][0] == [1e-3, 5e-3, 1e-3, 5e-3]


def test_residuals_are_those_of_the_model():
    found = assumptions(runs(), ["architecture", "batch_size"])
    display = ResidualsDisplay(found, "fitted").plot()
    line = next(line for line in display.axes_["quantiles"].get_lines() if line.get_marker() == "o")
    np.testing.assert_allclose(line.get_ydata(), sorted(each.standardised for each in found.residuals))
    dots = next(line for line in display.axes_["fitted"].get_lines() if line.get_marker() == "o")
    np.testing.assert_allclose(dots.get_xdata(), [each.fitted for each in found.residuals])
    assert {text.get_text() for text in display.axes_["fitted"].texts} == {each.name for each in found.largest[:3]}


def test_importance_stands_beside_eta_squared():
    shares = [Share(f"factor {place}", 0.5 / (1 + place), 0.01, 0.1) for place in range(18)]
    ax = ImportanceDisplay(shares, 40).plot().ax_
    widths = [bar.get_width() for bar in ax.patches]
    np.testing.assert_allclose(widths[:15], [share.share for share in shares[:15]])
    np.testing.assert_allclose(widths[15:], 0.1)
    assert ax.get_title(loc="left").replace("\n", " ") == "n = 40 runs; grey: ± over the trees; 3 more left out"


@pytest.mark.parametrize("cells", [1, 3, 7])
def test_titles_of_cells_fit_their_panels_in_a_narrow_page(cells):
    title = "AttentionResUNet, learning rate 0.001, batch size"
    named = {f"{title} {place}": CURVES["a"] for place in range(cells)}
    display = CellCurvesDisplay(named, "Jaccard").plot()
    inline_svg(display.figure_, "narrow", "label")
    renderer = display.figure_.canvas.get_renderer()
    boxes = [ax.title.get_window_extent(renderer) for ax in display.axes_.values()]
    assert not any(a.overlaps(b) for place, a in enumerate(boxes) for b in boxes[:place])
