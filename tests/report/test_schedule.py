"""ScheduleDisplay: what stands in the picture of known rates."""

import numpy as np
import pytest

import unetdyn.runs
from unetdyn.report import ScheduleDisplay


def lines(display):
    return {line.get_label(): line for line in display.plot().ax_.get_lines()}


def test_display_draws_each_schedule_at_every_step():
    display = ScheduleDisplay.from_schedules({"line": lambda step: 1 - step / 4, "stays": 0.5}, total_steps=4)
    drawn = lines(display)
    np.testing.assert_array_equal(drawn["line"].get_xdata(), [0, 1, 2, 3])
    np.testing.assert_array_equal(drawn["line"].get_ydata(), [1, 0.75, 0.5, 0.25])
    np.testing.assert_array_equal(drawn["stays"].get_ydata(), [0.5] * 4)
    assert display.ax_.get_legend_handles_labels()[1] == ["line", "stays"]


def test_display_of_a_long_training_looks_at_every_step_and_draws_some_with_both_ends():
    display = ScheduleDisplay.from_schedules(lambda step: step, total_steps=1_000_000)
    np.testing.assert_array_equal(display.rates["learning rate"], np.arange(1_000_000))
    drawn = lines(display)["learning rate"]
    assert len(drawn.get_xdata()) == 1200
    np.testing.assert_array_equal(drawn.get_xdata(), drawn.get_ydata())
    assert drawn.get_xdata()[[0, -1]].tolist() == [0, 999_999]


def test_display_looks_at_many_of_more_than_a_million_steps():
    display = ScheduleDisplay.from_schedules(lambda step: step, total_steps=10**8)
    assert (len(display.step), display.step[0], display.step[-1]) == (1_000_000, 0, 10**8 - 1)


@pytest.mark.parametrize(
    ("waves", "total"),
    [(lambda step: 1 - step % 10 / 10, 5991), (lambda step: 1 - int(step) % 10 / 10, 591)],
    ids=["arrays", "one by one"],
)
def test_display_shows_periods_that_are_shorter_than_a_pixel(waves, total):
    """Each tenth of 5991 steps is the first of its period."""
    drawn = lines(ScheduleDisplay.from_schedules(waves, total))["learning rate"].get_ydata()
    assert (np.mean(drawn >= 0.6), np.mean(drawn <= 0.5)) == pytest.approx((0.5, 0.5), abs=0.01)
    assert (drawn.max(), drawn.min()) == pytest.approx((1, 0.1))


def test_display_finds_the_peak_between_what_is_drawn():
    display = ScheduleDisplay.from_schedules(lambda step: np.where(step == 1999, 3.0, 1.0), 10_000).plot()
    assert display.ax_.get_title("left") == "from 1 to 1, largest 3 at step 1999"
    assert 1999 in display.ax_.get_lines()[0].get_xdata()


def test_display_believes_no_array_that_says_something_else():
    """The function takes arrays, but means something else by them."""
    display = ScheduleDisplay.from_schedules(lambda step: step * 0 + np.max(step), total_steps=30)
    np.testing.assert_array_equal(display.rates["learning rate"], np.arange(30))


def test_display_of_one_says_where_it_begins_is_largest_and_ends():
    display = ScheduleDisplay([0, 1, 2], {"a": [0.1, 0.4, 0.2]}).plot()
    assert display.ax_.get_title("left") == "from 0.1 to 0.2, largest 0.4 at step 1"
    assert display.ax_.get_legend() is None
    assert ScheduleDisplay([0], {"a": [np.nan]}).plot().ax_.get_title("left") == "no finite learning rate"


def test_display_in_epochs_and_on_a_log_axis():
    display = ScheduleDisplay([0, 10, 20], {"a": [0.0, 0.1, 0.01]}, steps_per_epoch=10, log=True).plot()
    (line,) = display.ax_.get_lines()
    np.testing.assert_array_equal(line.get_xdata(), [0, 1, 2])
    np.testing.assert_array_equal(line.get_ydata(), [np.nan, 0.1, 0.01])
    assert (display.ax_.get_xlabel(), display.ax_.get_yscale()) == ("epochs trained", "log")


def test_display_tells_more_curves_apart_than_there_are_colours():
    display = ScheduleDisplay.from_schedules({str(number): number for number in range(1, 10)}, 3).plot()
    styles = {(line.get_color(), line.get_linestyle()) for line in display.ax_.get_lines()}
    assert len(styles) == 9


def test_display_of_a_run_is_what_its_monitor_recorded(tmp_path):
    writer = unetdyn.runs.RunWriter(tmp_path / "run")
    writer.save_arrays("update", step=[5, 6], learning_rate=[0.1, 0.2])
    display = ScheduleDisplay.from_run(tmp_path / "run", steps_per_epoch=2)
    assert (display.step.tolist(), display.rates["learning rate"].tolist()) == ([5, 6], [0.1, 0.2])
    assert display.steps_per_epoch == 2


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ScheduleDisplay.from_schedules({}, 3), ValueError, r"`schedules` must hold at least one"),
        (lambda: ScheduleDisplay.from_schedules({"a": "cosine"}, 3), TypeError, r"functions .*Received: a=str\."),
        (lambda: ScheduleDisplay.from_schedules(0.1, 0), ValueError, r"`total_steps` must be .*=0\."),
        (lambda: ScheduleDisplay([0], {"a": [1]}, steps_per_epoch=0), ValueError, r"`steps_per_epoch` must be .*=0\."),
        (lambda: ScheduleDisplay.from_record({"step": [1]}), ValueError, r"UpdateMonitor recorded.*Received: step\."),
        (lambda: ScheduleDisplay.from_record({"step": [], "learning_rate": []}), ValueError, r"at least one step"),
    ],
)
def test_display_refuses(make, error, message):
    with pytest.raises(error, match=message):
        make()
