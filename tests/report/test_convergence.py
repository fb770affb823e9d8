"""ConvergenceDisplay: the curve, the fit and its interval as they are, and no promise where nothing can be told."""

import math

import numpy as np
import pytest

from unetdyn.report import ConvergenceDisplay
from unetdyn.runs import RunWriter

EPOCHS = np.arange(40)
RISING = 0.8 - 0.7 * 0.85**EPOCHS + 0.004 * np.random.default_rng(0).normal(size=40)


def drawn(display):
    return {line.get_label(): line for line in display.ax_.get_lines()}


def test_display_draws_curve_fit_limit_and_interval():
    display = ConvergenceDisplay.from_values(RISING, name="validation Jaccard").plot()
    fit = display.fit
    assert fit.determined
    lines = drawn(display)
    np.testing.assert_array_equal(lines["validation Jaccard"].get_ydata(), RISING)
    np.testing.assert_array_equal(lines["validation Jaccard"].get_xdata(), EPOCHS + 1)
    fitted = lines[f"fitted: {fit.model}"]
    np.testing.assert_allclose(fitted.get_ydata(), fit.predict(fitted.get_xdata() - 1))
    assert fitted.get_xdata()[-1] == 1 + 1.25 * 40
    np.testing.assert_allclose(fitted.get_ydata()[0], 0.1, atol=0.02)
    assert set(lines["asymptote J∞, with its 95 % interval"].get_ydata()) == {fit.asymptote}
    (band,) = display.ax_.patches
    assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx(fit.asymptote_interval)
    assert fit.asymptote_interval[0] < 0.8 < fit.asymptote_interval[1]


def test_title_says_limit_interval_and_when():
    title = ConvergenceDisplay.from_values(RISING).plot().ax_.get_title("left").replace("\n", " ")
    assert title.startswith("heading to 0.8")
    assert "95 % interval 0.79" in title or "95 % interval 0.8" in title
    reached = next(epoch for epoch in range(200) if 0.7 * 0.85**epoch <= 0.008)  # planted: 1 % of 0.8
    assert abs(int(title.split("from epoch ")[1].split(" ")[0]) - 1 - reached) <= 4


@pytest.mark.parametrize("values", [[0.1, 0.2], [0.1] * 4 + [math.nan] * 10, [], (0.1 + 0.01 * np.arange(20)).tolist()])
def test_undetermined_is_said_and_no_band_drawn(values):
    display = ConvergenceDisplay.from_values(values).plot()
    assert not display.fit.determined
    assert display.ax_.get_title("left").replace("\n", " ") == f"asymptote undetermined: {display.fit.reason}"
    assert not display.ax_.patches
    assert not any("asymptote" in label for label in drawn(display))
    assert display._repr_png_().startswith(b"\x89PNG")


def test_what_is_not_finite_has_crosses():
    values = RISING.copy()
    values[7] = math.nan
    assert list(drawn(ConvergenceDisplay.from_values(values).plot())["not finite"].get_xdata()) == [8]


def test_rare_validations_and_runs(tmp_path):
    writer = RunWriter(tmp_path / "run")
    for epoch, value in enumerate(RISING):
        writer.log_epoch(epoch, {"loss": 1 - value, **({"val_jaccard": value} if epoch % 2 else {})})
    display = ConvergenceDisplay.from_run(tmp_path / "run").plot()
    assert display.name == "validation Jaccard"
    np.testing.assert_array_equal(drawn(display)["validation Jaccard"].get_xdata(), np.arange(2, 41, 2))
    assert ConvergenceDisplay.from_run(tmp_path / "run", "loss").name == "loss"
    with pytest.raises(ValueError, match="'dice' was not logged in run"):
        ConvergenceDisplay.from_run(tmp_path / "run", "dice")
    history = {"loss": list(RISING), "val_loss": list(RISING[::2])}
    display = ConvergenceDisplay.from_history(history, "val_loss", validation_freq=2)
    np.testing.assert_array_equal(display.epochs, np.arange(1, 40, 2))


def test_several_trainings_at_once_are_refused():
    with pytest.raises(ValueError, match=r"`values` must be of one training, \(epochs,\)\. Received: shape \(2, 40\)"):
        ConvergenceDisplay.from_values([RISING, RISING])
