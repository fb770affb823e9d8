"""GradientDisplay: what stands in the picture of known records."""

import numpy as np
import pytest

import unetdyn.runs
from unetdyn.report import GradientDisplay


def record(norms, **more):
    norms = np.asarray(norms, dtype=float)
    spike = np.zeros(len(norms), bool)
    return {
        "step": np.arange(len(norms)) + 5,
        "grad_norm": norms,
        "spike": spike,
        "explode": 10.0,
        "vanish": 1e-6,
    } | more


def labels(display):
    return display.ax_.get_legend_handles_labels()[1]


def test_display_of_a_sound_run_shows_the_limit_and_no_mark():
    display = GradientDisplay.from_record(record([0.5, 0.4, 0.3])).plot()
    assert labels(display) == ["exploding > 10", "gradient norm"]
    bottom, top = display.ax_.get_ylim()
    assert bottom < 0.3
    assert top > 10
    assert display.ax_.get_title("left") == "median 0.4, largest 0.5; above 10 at 0 of 3 steps"
    line = next(line for line in display.ax_.get_lines() if line.get_label() == "gradient norm")
    np.testing.assert_array_equal(line.get_xdata(), [5, 6, 7])
    np.testing.assert_array_equal(line.get_ydata(), [0.5, 0.4, 0.3])


def test_display_marks_the_first_of_each_trouble():
    spike = np.array([False, True, False, True, False, False])
    display = GradientDisplay.from_record(record([1.0, 9.0, 50.0, 1e3, np.nan, np.inf], spike=spike)).plot()
    assert labels(display)[2:] == [
        "first explosion: step 7, 3 in all",
        "first spike: step 6, 2 in all",
        "not finite at 2 steps, first 9",
    ]
    marks = {line.get_label().split(":")[0]: line for line in display.ax_.get_lines()}
    assert [float(marks["first explosion"].get_xdata()[0]), float(marks["first explosion"].get_ydata()[0])] == [7, 50]
    assert [float(marks["first spike"].get_xdata()[0]), float(marks["first spike"].get_ydata()[0])] == [6, 9]


def test_display_shows_the_lower_limit_only_where_norms_come_near():
    assert "vanishing < 1e-06" in labels(GradientDisplay.from_record(record([1e-5, 1.0])).plot())
    assert "vanishing < 1e-06" not in labels(GradientDisplay.from_record(record([1e-3, 1.0])).plot())


@pytest.mark.parametrize("norms", [[np.nan] * 3, [0.0] * 3, [np.inf, 1.0, 0.0]])
def test_display_bears_norms_that_have_no_place_on_a_log_axis(norms):
    display = GradientDisplay.from_record(record(norms), blocks=True).plot()
    assert display._repr_png_().startswith(b"\x89PNG")
    assert np.isfinite(display.ax_.get_ylim()).all()


def test_display_draws_blocks_only_when_asked():
    more = {"block_grad_norm": {"enc1": np.array([0.01, 0.01]), "head": np.array([1.0, np.nan])}}
    plain = GradientDisplay.from_record(record([1.0, 1.0], **more)).plot()
    full = GradientDisplay.from_record(record([1.0, 1.0], **more), blocks=True).plot()
    assert len(full.ax_.get_lines()) == len(plain.ax_.get_lines()) + 2
    assert full.ax_.get_ylim()[0] < 0.01 < plain.ax_.get_ylim()[0]


def test_display_of_a_run_is_that_of_its_record(tmp_path):
    writer = unetdyn.runs.RunWriter(tmp_path / "run")
    writer.save_arrays("gradient", **record([1.0, 2.0]), block_grad_norm={"head": [1.0, 3.0]})
    display = GradientDisplay.from_run(tmp_path / "run", blocks=True)
    assert display.block_grad_norm["head"].tolist() == [1, 3]
    display = GradientDisplay.from_run(unetdyn.runs.open(tmp_path / "run"))
    assert (display.explode, display.vanish, display.block_grad_norm) == (10, 1e-6, None)
    assert (display.step.tolist(), display.grad_norm.tolist()) == ([5, 6], [1, 2])


def test_display_refuses_what_is_no_gradient_record():
    with pytest.raises(ValueError, match=r"what GradientMonitor recorded.* Received: step, update_ratio"):
        GradientDisplay.from_record({"step": [1], "update_ratio": {}})
    with pytest.raises(ValueError, match=r"at least one step"):
        GradientDisplay.from_record(record([]))


def test_infinite_threshold_counts_nothing_as_an_explosion():
    display = GradientDisplay.from_record(record([1.0, 2.0], explode=np.inf)).plot()
    assert display.ax_.get_title("left") == "median 1.5, largest 2"
    assert labels(display) == ["gradient norm"]
