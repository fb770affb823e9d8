"""NoiseScaleDisplay: what stands in the picture of known records."""

import io

import numpy as np
import pytest
from PIL import Image

import unetdyn.runs
from unetdyn.report import NoiseScaleDisplay

NAN, INF = np.nan, np.inf


def record(**changes):
    """Five estimates of 100 steps each; in the third and fourth |G|² is lost, in the fourth even its sign."""
    return {
        "step": np.array([99, 199, 299, 399, 499]),
        "trace_covariance": np.array([40.0, 30.0, 35.0, 30.0, 20.0]),
        "gradient_sq": np.array([2.0, 1.0, 0.1, -0.1, 0.5]),
        "noise_scale": np.array([20.0, 30.0, NAN, NAN, 40.0]),
        "noise_scale_low": np.array([15.0, 20.0, 90.0, 0.0, 0.0]),
        "noise_scale_high": np.array([30.0, 50.0, INF, INF, 60.0]),
        "batch_size": np.array([8, 8, 8, 8, 8]),
        "raw_step": np.arange(1, 500),
    } | changes


def lines(display, panel="noise_scale"):
    return {line.get_label(): line for line in display.axes_[panel].get_lines()}


def labels(display, panel="noise_scale"):
    return display.axes_[panel].get_legend_handles_labels()[1]


def spans(display, panel="noise_scale"):
    return [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in display.axes_[panel].patches[:-1]]


def test_display_draws_the_scale_and_its_interval_where_determined():
    display = NoiseScaleDisplay.from_record(record()).plot()
    scale = lines(display)["noise scale"]
    np.testing.assert_array_equal(scale.get_xdata(), record()["step"])
    np.testing.assert_array_equal(scale.get_ydata(), record()["noise_scale"])
    (interval,) = [c for c in display.ax_.collections if c.get_label() == "interval"]
    ends = [segment.tolist() for segment in interval.get_segments()]
    # An interval down to zero ends far below its value, since a log axis has no zero.
    assert ends == [[[99, 15], [99, 30]], [[199, 20], [199, 50]], [[499, 0.4], [499, 60]]]
    assert all(ax.get_yscale() == "log" for ax in display.axes_.values())


def test_display_shades_undetermined_stretches_in_both_panels():
    display = NoiseScaleDisplay.from_record(record()).plot()
    assert spans(display) == [(199, 399)]
    assert [patch.get_x() for patch in display.axes_["estimates"].patches] == [199]
    assert labels(display).count("undetermined") == 1
    apart = NoiseScaleDisplay.from_record(record(noise_scale=np.array([NAN, 30.0, NAN, 35.0, NAN]))).plot()
    assert spans(apart) == [(1, 99), (199, 299), (399, 499)]
    assert labels(apart).count("undetermined") == 1


def test_display_marks_a_lower_bound_where_no_more_is_known():
    bound = lines(NoiseScaleDisplay.from_record(record()).plot())["at least"]
    assert (bound.get_xdata().tolist(), bound.get_ydata().tolist(), bound.get_marker()) == ([299], [90.0], "^")


def test_display_draws_the_batch_size():
    display = NoiseScaleDisplay.from_record(record(batch_size=np.array([8, 8, 8, 16, 16]))).plot()
    (stairs,) = [patch for patch in display.ax_.patches if patch.get_label() == "batch size 16"]
    assert stairs.get_data().values.tolist() == [8, 8, 8, 16, 16]
    assert stairs.get_data().edges.tolist() == [1, 99, 199, 299, 399, 499]


@pytest.mark.parametrize("sizes", [None, np.zeros(5)])
def test_display_without_a_known_batch_size_draws_none(sizes):
    given = record(batch_size=sizes)
    if sizes is None:
        del given["batch_size"]
    assert not [text for text in labels(NoiseScaleDisplay.from_record(given).plot()) if "batch" in text]


def test_display_draws_the_estimates_and_marks_what_is_not_positive():
    drawn = lines(NoiseScaleDisplay.from_record(record()).plot(), "estimates")
    assert drawn["trΣ, of one sample"].get_ydata().tolist() == [40, 30, 35, 30, 20]
    np.testing.assert_array_equal(drawn["|G|², of the mean"].get_ydata(), [2, 1, 0.1, NAN, 0.5])
    assert drawn["|G|² estimated ≤ 0"].get_xdata().tolist() == [399]


@pytest.mark.parametrize(
    ("end", "title"),
    [
        (5, "last: 40 samples (interval 0 to 60)"),
        (4, "last: undetermined"),
        (3, "last: undetermined, but above 90 samples"),
    ],
)
def test_display_says_what_was_found_last(end, title):
    given = {name: values[:end] for name, values in record().items()}
    assert NoiseScaleDisplay.from_record(given).plot().ax_.get_title("left") == title


@pytest.mark.parametrize(
    "given",
    [
        {name: values[:1] for name, values in record().items()},
        {name: values[3:4] for name, values in record().items()},
        {name: np.full(5, NAN) if values.dtype == float else values for name, values in record().items()},
        record(raw_step=np.zeros(0, int)),
    ],
)
def test_display_can_draw_whatever_was_recorded(given):
    assert Image.open(io.BytesIO(NoiseScaleDisplay.from_record(given)._repr_png_())).size[0] == 720


def test_display_of_a_run_is_that_of_its_record(tmp_path):
    writer = unetdyn.runs.RunWriter(tmp_path / "run")
    writer.save_arrays("noise_scale", **record())
    writer.finish()
    display = NoiseScaleDisplay.from_run(tmp_path / "run")
    for name, values in record().items():
        if name not in ("step", "raw_step"):
            np.testing.assert_array_equal(getattr(display, name), values)
    assert display.edges.tolist() == [1, 99, 199, 299, 399, 499]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "`record` must be what NoiseScaleMonitor recorded.*Received: nothing"),
        ({"step": [1], "grad_norm": [1.0]}, "Received: step, grad_norm"),
        ({name: values[:0] for name, values in record().items()}, "`record` must have at least one estimate"),
    ],
)
def test_display_names_a_wrong_record(given, message):
    with pytest.raises(ValueError, match=message):
        NoiseScaleDisplay.from_record(given)
