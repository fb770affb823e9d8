"""ComparisonDisplay and OverlayDisplay: every run where it belongs, and labels that can be read."""

import math
from itertools import pairwise

import numpy as np
import pytest

from unetdyn.analysis import Curve
from unetdyn.report import ComparisonDisplay, OverlayDisplay
from unetdyn.report.comparison import label_offsets
from unetdyn.report.page.svg import WIDTH


def run(best, scatter, epochs=10):
    noise = scatter * np.tile([1.0, -1.0], epochs // 2)
    return {"val_loss": (0.5 + noise).tolist(), "val_jaccard": np.linspace(0.1, best, epochs).tolist()}


RUNS = {"good": run(0.8, 0.01), "best": run(0.9, 0.1), "worse": run(0.7, 0.05), "short": run(0.5, 0.1, epochs=2)}


def sigma(scatter):
    return scatter * math.sqrt(10 / 9)


def points(display):
    lines = [line for line in display.axes_["runs"].get_lines() if line.get_marker() == "o"]
    return sorted((float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in lines)


def rows(display):
    ax = display.axes_["scores"]
    return [tick.get_text() for tick in ax.get_yticklabels()], [text.get_text() for text in ax.texts]


def test_runs_stand_at_their_stability_and_performance():
    display = ComparisonDisplay.from_runs(RUNS).plot()
    expected = [(sigma(0.01), 0.8), (sigma(0.05), 0.7), (sigma(0.1), 0.9)]
    np.testing.assert_allclose(points(display), expected)
    ax = display.axes_["runs"]
    assert ax.get_ylabel() == "best validation Jaccard"
    assert ax.get_xlabel().startswith("σ of the validation loss, last 10 values")
    assert ax.get_xscale() == "log"


def test_front_is_drawn_in_steps_through_the_runs_that_none_beats():
    display = ComparisonDisplay.from_runs(RUNS).plot()
    step = next(line for line in display.axes_["runs"].get_lines() if line.get_label() == "Pareto front")
    np.testing.assert_allclose(step.get_xdata(), [sigma(0.01), sigma(0.1)])
    np.testing.assert_allclose(step.get_ydata(), [0.8, 0.9])


def test_scores_are_ranked_and_runs_without_one_say_why():
    display = ComparisonDisplay.from_runs(RUNS).plot()
    labels, notes = rows(display)
    scores = {
        name: 0.7 * (best - 0.7) / (0.9 - 0.7) + 0.3 * (1 - (scatter - 0.01) / (0.1 - 0.01))
        for name, best, scatter in (("good", 0.8, 0.01), ("best", 0.9, 0.1), ("worse", 0.7, 0.05))
    }
    order = sorted(scores, key=lambda name: -scores[name])
    assert labels == [*(f"{place}  {name}" for place, name in enumerate(order, start=1)), "short"]
    widths = [bar.get_width() for bar in display.axes_["scores"].patches]
    assert widths == pytest.approx([scores[name] for name in order])
    assert notes[0].startswith(f"{scores[order[0]]:.3g}: ")
    assert notes[-1].startswith("no score: ")
    numbers = {text.get_text(): text.xy for text in display.axes_["runs"].texts}
    assert numbers["1"] == pytest.approx((sigma(0.1), 0.9))
    assert list(numbers) == ["1", "2", "3"]


def test_many_runs_have_twenty_rows_and_numbers_that_do_not_overlap():
    rng = np.random.default_rng(0)
    many = {f"run {i}": run(0.5 + 0.3 * rng.random(), 10 ** rng.uniform(-3, -1)) for i in range(60)}
    display = ComparisonDisplay.from_runs(many).plot()
    labels, _ = rows(display)
    assert len(labels) == 21
    assert labels[-1] == "and 40 more"
    assert len(points(display)) == 60
    display.figure_.draw_without_rendering()
    boxes = [text.get_window_extent() for text in display.axes_["runs"].texts]
    assert len(boxes) == 20
    overlaps = [one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i]]
    assert sum(overlaps) <= 2


def test_equal_runs_keep_their_numbers_apart():
    offsets = label_offsets([(0.0, 0.0)] * 5, 10.0)
    assert len(set(offsets)) == 5


def test_long_names_keep_both_ends():
    names = [f"attention_residual_unet_with_filters_16_seed_{i}" for i in range(2)]
    display = ComparisonDisplay.from_runs({name: run(0.8, 0.01 + 0.01 * i) for i, name in enumerate(names)}).plot()
    labels, _ = rows(display)
    assert all(len(label) <= 30 for label in labels)
    assert sorted(label[-6:] for label in labels) == ["seed_0", "seed_1"]


@pytest.mark.parametrize("runs", [{"short": RUNS["short"]}, {"zero": run(0.8, 0.0)}, {"one": run(0.8, 0.1)}])
def test_display_bears_one_run_and_runs_without_scores(runs):
    assert ComparisonDisplay.from_runs(runs)._repr_png_().startswith(b"\x89PNG")


def test_displays_refuse_no_run():
    with pytest.raises(ValueError, match=r"`runs` must be one run or more\. Received: \{\}\."):
        ComparisonDisplay.from_runs({})
    with pytest.raises(ValueError, match=r"`curves` must be one curve or more\. Received: none\."):
        OverlayDisplay({}, "loss")


def test_overlay_draws_each_run_under_its_name():
    display = OverlayDisplay.from_runs({"a": RUNS["good"], "b": {"val_jaccard": [0.1, math.nan, 0.3]}}).plot()
    lines = {line.get_label(): line for line in display.ax_.get_lines()}
    np.testing.assert_array_equal(lines["a"].get_ydata(), RUNS["good"]["val_jaccard"])
    np.testing.assert_array_equal(lines["b"].get_ydata(), [0.1, math.nan, 0.3])
    assert list(lines["b not finite"].get_xdata()) == [2]
    assert display.ax_.get_ylabel() == "validation Jaccard"
    assert display.ax_.get_xlim() == (0.5, 10.5)


def test_overlay_of_many_runs_has_seven_colours_and_counts_the_rest():
    curve = Curve(np.arange(3), np.array([0.1, 0.2, 0.3]))
    display = OverlayDisplay({f"run {i}": curve for i in range(10)}, "Jaccard").plot()
    labels = display.ax_.get_legend_handles_labels()[1]
    assert labels == [*(f"run {i}" for i in range(7)), "3 more"]
    assert len({line.get_color() for line in display.ax_.get_lines()}) == 8


def narrow(display):
    """The display's figure, laid out as wide as in a report."""
    figure = display.plot().figure_
    figure.set_size_inches(WIDTH, figure.get_size_inches()[1])
    figure.draw_without_rendering()
    return figure


@pytest.mark.parametrize(
    "runs",
    [
        {f"attention_residual_unet_{i}": run(0.8, 0.01 + 0.0003 * i) for i in range(4)},
        {"with": run(0.8, 0.02), "without": {"loss": [0.1, 0.2] * 5, "jaccard": [0.1] * 10}},
    ],
    ids=["close together", "long labels"],
)
def test_labels_fit_into_a_report_and_do_not_overprint(runs):
    display = ComparisonDisplay.from_runs(runs)
    figure = narrow(display)
    for ax in display.axes_.values():
        for label in (label for label in (ax.xaxis.label, ax.yaxis.label) if label.get_text()):
            box = label.get_window_extent()
            assert box.x0 >= 0
            assert box.x1 <= figure.bbox.x1
            assert box.y1 <= figure.bbox.y1
        low, high = ax.get_xlim()
        ticks = [tick for tick in ax.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
        boxes = [tick.label1.get_window_extent() for tick in ticks]
        assert len(boxes) >= 2
        assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_front_has_no_colour_that_praises():
    display = ComparisonDisplay.from_runs(RUNS).plot()
    drawn = [line.get_color() for line in display.axes_["runs"].get_lines()]
    assert "#009E73" not in drawn
    assert drawn.count("#0072B2") == 3


def test_reason_of_a_run_without_a_score_is_cut_at_its_end():
    runs = RUNS | {"wordy": {"val_loss": [0.1, math.nan] * 5, "val_jaccard": [0.5] * 10}}
    display = ComparisonDisplay.from_runs(runs).plot()
    note = rows(display)[1][-1]
    why = "no score: " + display.ranking.excluded["wordy"]
    assert len(why) > 46 >= len(note)
    assert note.endswith(" …")
    assert why.startswith(note.removesuffix(" …"))


def test_overlay_names_long_runs_by_both_ends():
    names = [f"{'a' * 120}{i}" for i in range(3)]
    display = OverlayDisplay.from_runs(dict.fromkeys(names, RUNS["good"]))
    figure = narrow(display)
    box = display.ax_.get_legend().get_window_extent()
    assert box.width < figure.bbox.width / 2
    assert [text.get_text()[-3:] for text in display.ax_.get_legend().get_texts()] == ["aa0", "aa1", "aa2"]


def test_names_in_any_script_draw_without_a_warning(tmp_path):
    runs = {"数据_🙂": RUNS["good"], "실험": RUNS["best"]}
    for display in (OverlayDisplay.from_runs(runs), ComparisonDisplay.from_runs(runs)):
        display.save(tmp_path / "picture.png")
