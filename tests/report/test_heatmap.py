"""BlockHeatmapDisplay: bins, colours, and what must not be hidden by them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgba

import unetdyn.runs
from unetdyn.report import BlockHeatmapDisplay
from unetdyn.report.heatmap import binned


def gradients(*rows, **more):
    names = ["enc1", "bottleneck", "head"]
    table = {name: np.asarray(row, dtype=float) for name, row in zip(names, rows, strict=False)}
    return {"step": np.arange(len(rows[0])), "block_grad_norm": table} | more


def colours(display):
    """Colour of each cell, `(blocks, bins, 4)`."""
    mesh = display.ax_.collections[0]
    return mesh.to_rgba(mesh.get_array()).reshape(*display.values.shape, 4)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 60), st.integers(1, 20), st.sampled_from(["median", "max"]), st.integers(0, 99))
def test_bins_equal_the_definition(steps, columns, statistic, seed):
    rng = np.random.default_rng(seed)
    table = rng.random((3, steps))
    table[rng.random((3, steps)) < 0.05] = np.nan
    numbers = np.cumsum(rng.integers(1, 4, steps))
    edges, values = binned(numbers, table, statistic, columns)
    assert values.shape[1] == len(edges) - 1 <= columns
    assert (np.diff(edges) > 0).all()
    assert edges[-1] == numbers[-1] + 1
    for left, right, column in zip(edges[:-1], edges[1:], values.T, strict=True):
        part = table[:, (numbers >= left) & (numbers < right)]
        expected = np.median(part, axis=1) if statistic == "median" else part.max(axis=1)  # NaN if any is
        np.testing.assert_array_equal(column, expected)


def test_few_steps_are_not_binned_and_blocks_keep_their_order():
    display = BlockHeatmapDisplay.from_record(gradients([1, 2], [3, 4], [5, 6])).plot()
    assert display.blocks == ["enc1", "bottleneck", "head"]
    np.testing.assert_array_equal(display.values, [[1, 2], [3, 4], [5, 6]])
    assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == display.blocks
    bottom, top = display.ax_.get_ylim()
    assert bottom > top  # the first block is on top


def test_what_is_not_finite_is_black_in_the_whole_bin():
    values = np.ones(1000)
    values[501] = np.nan
    display = BlockHeatmapDisplay.from_record(gradients(values, np.ones(1000)), columns=100).plot()
    drawn = colours(display)
    black = (drawn == to_rgba("black")).all(axis=-1)
    assert black.sum() == 1
    assert black[0, 50]
    assert display.ax_.get_title("left") == "gradient norm ‖g‖; black: not finite, first at step 501"
    assert display.not_finite == 501


def test_gradients_above_the_monitors_threshold_are_vermilion_and_zeros_white():
    display = BlockHeatmapDisplay.from_record(gradients([1.0, 25.0, 0.0], explode=20.0)).plot()
    assert display.limits == (1e-4, 20.0)
    drawn = colours(display)[0]
    assert tuple(drawn[1]) == to_rgba("#D55E00")
    assert tuple(drawn[2]) == to_rgba("white")
    assert tuple(drawn[0]) not in (to_rgba("#D55E00"), to_rgba("white"), to_rgba("black"))


def test_infinite_threshold_leaves_the_scale_as_it_is():
    display = BlockHeatmapDisplay.from_record(gradients([1.0, 25.0], explode=np.inf)).plot()
    assert display.limits == (1e-4, 1e1)


def test_names_of_blocks_are_no_mathematics():
    record = {"step": np.arange(2), "block_grad_norm": {r"$\frac$": [1.0, 2.0]}}
    assert BlockHeatmapDisplay.from_record(record)._repr_png_().startswith(b"\x89PNG")


def updates(ratio, **more):
    steps = len(ratio)
    return {"step": np.arange(steps), "update_ratio": {"only": np.asarray(ratio)}, "low": 1e-4, "high": 3e-3} | more


def test_ratios_are_red_above_and_blue_below_and_pale_in_the_band():
    display = BlockHeatmapDisplay.from_record(updates([1e-6, 1e-3, 0.2]), "ratio").plot()
    small, healthy, large = colours(display)[0]
    assert small[2] > 2 * small[0]
    assert large[0] > 2 * large[2]
    assert healthy[:3].min() > 0.9
    assert display.marks == [1e-4, 3e-3]


def test_steps_that_updated_nothing_are_left_out():
    applied = np.array([False, True, False, True])
    display = BlockHeatmapDisplay.from_record(updates([np.nan, 1e-3, np.nan, 2e-3], applied=applied), "ratio").plot()
    np.testing.assert_array_equal(display.values, [[1e-3, 2e-3]])
    np.testing.assert_array_equal(display.edges, [1, 3, 4])


def test_title_says_how_much_lies_outside_the_band():
    record = updates([1e-5, 1e-3, 4e-3, 5e-3, np.nan])
    record["update_ratio"]["other"] = np.array([1e-3, 1e-3, 1e-3, 1.0, np.inf])
    display = BlockHeatmapDisplay.from_record(record, "ratio", columns=2).plot()
    assert display.outside == (1 / 8, 3 / 8)
    title = display.ax_.get_title("left").replace("\n", " ")
    assert "‖Δw‖/‖w‖; above the band 38%, below it 12%; black: not finite" in title
    assert BlockHeatmapDisplay.from_record(gradients([1.0])).outside is None


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
@pytest.mark.parametrize("kind", ["update", "ratio"])
def test_any_data_can_be_drawn_and_two_pictures_compared(kind, value):
    record = updates([value, value], update_norm={"only": np.full(2, value)})
    display = BlockHeatmapDisplay.from_record(record, kind)
    assert display._repr_png_().startswith(b"\x89PNG")
    assert display.limits == {"update": (1e-5, 1.0), "ratio": (1e-5, 1e-1)}[kind]


def test_display_from_a_run(tmp_path):
    writer = unetdyn.runs.RunWriter(tmp_path / "run")
    writer.save_arrays("gradient", **gradients([1, 2]))
    writer.save_arrays("mine", **updates([1e-3, 1e-2]))
    assert BlockHeatmapDisplay.from_run(tmp_path / "run", statistic="max", columns=1).values.tolist() == [[2.0]]
    assert BlockHeatmapDisplay.from_run(tmp_path / "run", "ratio", name="mine").values.tolist() == [[1e-3, 1e-2]]


@pytest.mark.parametrize(
    ("record", "kwargs", "text"),
    [
        (gradients([1.0]), {"kind": "gradients"}, r"`kind` must be one of 'gradient', .* Did you mean 'gradient'\?"),
        (gradients([1.0]), {"statistic": "mean"}, r"`statistic` must be one of 'median', 'max'\. Received"),
        (
            gradients([1.0]),
            {"kind": "ratio"},
            r"must have update_ratio of at least one step and block\. Received: step",
        ),
        (gradients([]), {}, r"must have block_grad_norm of at least one step"),
        (
            gradients([1.0]),
            {"columns": 0},
            r"`columns` must be a whole number of bins, 1 or more\. Rec.*=0\.",
        ),
        (
            updates([np.nan, np.nan], applied=np.zeros(2, bool)),
            {"kind": "ratio"},
            r"must have a step that updated the weights\. Received: 2 steps, all of them skipped",
        ),
    ],
)
def test_display_refuses_what_it_cannot_draw(record, kwargs, text):
    with pytest.raises(ValueError, match=text):
        BlockHeatmapDisplay.from_record(record, **kwargs)


def test_from_run_refuses_an_unknown_kind(tmp_path):
    with pytest.raises(ValueError, match=r"`kind` must be one of"):
        BlockHeatmapDisplay.from_run(tmp_path, "weights")
