"""A learning rate too high, or too low."""

import numpy as np
import pytest

from planted_runs import CALM, EPOCHS, STEPS, descent, healthy, logged, planted, set_up
from unetdyn.analysis import Curves
from unetdyn.analysis.diagnosis import Evidence
from unetdyn.analysis.diagnosis.causes import learning_rate
from unetdyn.analysis.diagnosis.change import FALLS

BEGUN = EPOCHS // 10 + 1  # epochs in which updates may be large
HIGH, LOW = np.log10(learning_rate.HIGH), np.log10(learning_rate.LOW)
USUAL = -3.0


def told(**curves):
    return [(one.code, one.level, one.confidence) for one in learning_rate.find(planted(**curves))]


def too_high(confidence):
    return [("learning_rate.high", "ill", confidence)]


def too_low(confidence):
    return [("learning_rate.low", "ill", confidence)]


def updates(large, by=1e-6):
    """Usual updates, and so many large ones at the end."""
    return np.where(np.arange(EPOCHS) < EPOCHS - large, USUAL, HIGH + by)


def rising(count):
    """A training loss that rises by more than a part of itself in so many epochs, and falls in the others."""
    loss = healthy()["loss"]
    for place in range(2, 2 + 2 * count, 2):
        loss[place] = loss[place - 1] * (1 + learning_rate.RISES + 1e-6)
        loss[place + 1] = loss[place] * 0.9
    return loss


def test_usual_updates_of_a_loss_that_falls_are_well():
    assert told() == told(update_ratio_log10=np.full(EPOCHS, USUAL)) == []


def test_large_updates_are_counted_after_the_first_tenth():
    often = int(np.ceil(learning_rate.OFTEN * (EPOCHS - BEGUN)))
    assert told(update_ratio_log10=updates(often)) == too_high("low")
    assert told(update_ratio_log10=updates(often, by=-1e-6)) == []
    assert told(update_ratio_log10=updates(often - 1)) == []


@pytest.mark.parametrize(("momentum", "explains"), [(0.99, True), (0.9, False)])
def test_statistics_that_lag_behind_fast_weights_are_explained(momentum, explains):
    setup = set_up(norms=[{"layer": "n", "momentum": momentum, "trainable": True}])
    assert (1 / (1 - momentum) > setup["steps_per_epoch"]) == explains
    (one,) = learning_rate.find(planted(setup=setup, update_ratio_log10=updates(EPOCHS)))
    assert ("metric.gap" in one.explains) == explains


def test_first_steps_of_adam_are_no_learning_rate_too_high():
    values = np.full(EPOCHS, USUAL)
    values[:BEGUN] = np.log10(learning_rate.BURST) - 1e-6
    assert told(update_ratio_log10=values) == []


@pytest.mark.parametrize(("by", "expected"), [(1e-6, True), (-1e-6, False)])
def test_burst_in_the_first_epoch_is_beyond_doubt(by, expected):
    values = np.full(EPOCHS, USUAL)
    values[0] = np.log10(learning_rate.BURST) + by
    assert told(update_ratio_log10=values) == (too_high("high") if expected else [])
    assert told(update_ratio_log10=np.roll(values, 1)) == []


def leaping(step, by, blocks=2):
    """Three blocks, of which so many leap at one step."""
    ratios = {f"enc{place}": np.full(EPOCHS * STEPS, 1e-3) for place in range(3)}
    for values in list(ratios.values())[:blocks]:
        values[step] = by
    return {"update": {"step": np.arange(EPOCHS * STEPS), "update_ratio": ratios}}


@pytest.mark.parametrize(
    ("step", "by", "blocks", "leaps"),
    [
        (0, learning_rate.LEAP + 1e-6, 2, True),
        (2, learning_rate.LEAP + 1e-6, 3, True),
        (2, learning_rate.LEAP - 1e-6, 3, False),
        (3, 9.0, 3, False),
        (0, 9.0, 1, False),
        (1, np.nan, 3, False),
        (1, np.inf, 3, False),
    ],
)
def test_leap_of_the_median_block_in_the_first_three_steps(step, by, blocks, leaps):
    evidence = planted(leaping(step, by, blocks))
    found = [(one.code, one.level, one.confidence) for one in learning_rate.find(evidence)]
    assert found == (too_high("high") if leaps else [])


def test_record_of_two_steps_has_no_first_three():
    record = {"update": {"update_ratio": {"enc1": np.full(2, 9.0)}}}
    assert list(learning_rate.find(planted(record))) == []


@pytest.mark.parametrize(("by", "confidence"), [(1e-6, "high"), (-1e-6, "low")])
def test_far_beyond_the_band_is_beyond_doubt(by, confidence):
    far = np.log10(learning_rate.FAR * learning_rate.HIGH)
    assert told(update_ratio_log10=np.full(EPOCHS, far + by)) == too_high(confidence)


def test_rises_of_the_training_loss_are_counted():
    rises = [int((np.diff(rising(count)) > learning_rate.RISES * rising(count)[:-1]).sum()) for count in (7, 8)]
    assert [count >= learning_rate.OFTEN * EPOCHS for count in rises] == [False, True]
    assert told(loss=rising(7)) == []
    assert told(loss=rising(8)) == too_high("medium")


def test_large_updates_and_some_rises_are_likelier():
    some = int(max(3, np.ceil(learning_rate.SOME * EPOCHS)))
    large = updates(EPOCHS)
    for count, confidence in ((some - 1, "low"), (some, "medium")):
        loss = rising(count)
        assert (np.diff(loss) > learning_rate.RISES * loss[:-1]).sum() == count
        assert told(loss=loss, update_ratio_log10=large) == too_high(confidence)


def test_both_together_are_beyond_doubt():
    large = updates(EPOCHS)
    assert told(loss=rising(8), update_ratio_log10=large) == too_high("high")


def test_loss_that_rises_with_small_updates_has_another_cause():
    below = HIGH - np.log10(3)
    for by, expected in ((1e-6, too_high("medium")), (-1e-6, [])):
        assert told(loss=rising(8), update_ratio_log10=np.full(EPOCHS, below + by)) == expected


def test_rate_is_never_both_too_high_and_too_low():
    """The loss of every other epoch is higher, and all of it falls as fast at the end as in the beginning."""
    zigzag = np.linspace(1.0, 0.5, EPOCHS) * np.tile([1.0, 1.3], EPOCHS // 2)
    zigzag[[0, EPOCHS // 2, -1]] = 1.0, 0.75, 0.5
    assert told(loss=zigzag) == too_high("medium")


def test_negative_loss_rises_by_its_size():
    """−Dice zigzags between −0.8 and −0.6: a quarter of itself, in every second epoch."""
    assert told(loss=np.tile([-0.8, -0.6], EPOCHS // 2)) == too_high("medium")
    assert told(loss=np.tile([-0.8, -0.75], EPOCHS // 2)) == []


def test_places_and_the_rate_are_told():
    values = updates(20)
    (one,) = learning_rate.find(planted(update_ratio_log10=values, setup=set_up()))
    assert one.epochs == ((20, EPOCHS - 1),)
    assert one.curves == ("update_ratio_log10", "loss")
    assert one.why == "its learning rate is high (0.001)"
    (one,) = learning_rate.find(planted(update_ratio_log10=values, learning_rate=np.full(EPOCHS, 0.02)))
    assert one.why == "its learning rate is high (0.02)"


STRAIGHT = np.linspace(0.7, 0.6, EPOCHS)
CONVERGED = descent(3, EPOCHS)["loss"]
SMALL = np.log10(learning_rate.SMALL)


def test_tiny_updates_all_along():
    for by, expected in ((-1e-6, too_low("medium")), (1e-6, [])):
        assert told(update_ratio_log10=np.full(EPOCHS, LOW + by), loss=CONVERGED) == expected


@pytest.mark.parametrize(("by", "expected"), [(-1e-6, too_low("medium")), (1e-6, [])])
def test_small_updates_while_the_loss_still_falls(by, expected):
    assert told(update_ratio_log10=np.full(EPOCHS, SMALL + by)) == expected
    assert told(update_ratio_log10=np.full(EPOCHS, SMALL + by), loss=CONVERGED) == []


@pytest.mark.parametrize("lowest", [0.5, -0.5])
@pytest.mark.parametrize(("by", "expected"), [(1e-4, too_low("medium")), (-1e-4, [])])
def test_last_quarter_still_brings_a_part_of_the_loss(lowest, by, expected):
    """A negative loss, such as −Dice, that stands still does not fall."""
    last = lowest - (FALLS + by) * abs(lowest)
    loss = np.r_[np.linspace(1.0, lowest, 15), np.full(15, lowest), np.full(10, last)]
    assert told(update_ratio_log10=np.full(EPOCHS, SMALL - 0.1), loss=loss) == expected
    still = np.r_[np.linspace(1.0, lowest, 15), np.full(25, lowest)]
    assert told(update_ratio_log10=np.full(EPOCHS, SMALL - 0.1), loss=still) == []


def test_tiny_updates_and_a_straight_loss_are_beyond_doubt():
    assert told(update_ratio_log10=np.full(EPOCHS, LOW - 1), loss=STRAIGHT) == too_low("high")


def test_tiny_updates_of_a_loss_that_still_falls_are_beyond_doubt():
    assert told(update_ratio_log10=np.full(EPOCHS, LOW - 1)) == too_low("high")
    assert told(update_ratio_log10=np.full(EPOCHS, LOW - 1), loss=CONVERGED) == too_low("medium")


def test_straight_loss_alone_is_a_guess():
    assert told(loss=STRAIGHT) == too_low("low")
    assert told(loss=STRAIGHT, update_ratio_log10=np.full(EPOCHS, USUAL)) == []


@pytest.mark.parametrize(("part", "straight"), [(1e-3, True), (-1e-3, False)])
def test_second_half_is_compared_with_the_first(part, straight):
    first = np.linspace(1.0, 0.8, EPOCHS // 2 + 1)
    second = 0.8 - (learning_rate.STILL + part) * 0.2 * np.linspace(0, 1, EPOCHS // 2)[1:]
    assert bool(told(loss=np.r_[first, second])) == straight


def test_end_of_a_schedule_is_no_learning_rate_too_low():
    """A cosine to 0: tiny updates in the last quarter, though the loss still falls."""
    cosine = 2 * 10**SMALL * (1 + np.cos(np.pi * np.arange(EPOCHS) / EPOCHS)) / 2
    assert (np.log10(cosine) < LOW).any()
    assert told(update_ratio_log10=np.log10(cosine), learning_rate=cosine) == []


def test_warm_up_is_no_learning_rate_too_low():
    assert told(update_ratio_log10=np.r_[np.linspace(-6, USUAL, 8), np.full(EPOCHS - 8, USUAL)]) == []


def test_short_training_is_no_learning_rate_too_low():
    assert list(learning_rate.find(logged(loss=[1.0, 0.9, 0.8, 0.7, 0.6]))) == []
    assert list(learning_rate.find(logged(**descent(2, 6)))) == []


def test_flat_loss_is_not_straight():
    assert told(loss=np.full(EPOCHS, 0.69)) == []
    assert told(loss=0.69 + np.abs(CALM)) in ([], too_low("low"))  # noise may fall by as much in both halves


def test_epochs_are_those_of_the_logs():
    """Of a training that was taken up again at its tenth epoch."""
    when = {"epoch": np.arange(10, 10 + EPOCHS)}
    (one,) = learning_rate.find(logged(**when, loss=healthy()["loss"], update_ratio_log10=updates(20)))
    assert one.epochs == ((30, EPOCHS + 9),)
    (one,) = learning_rate.find(logged(**when, loss=rising(10)))
    assert (one.epochs[0], one.curves) == ((12, 12), ("loss",))


def test_curves_of_a_low_rate():
    (one,) = learning_rate.find(planted(update_ratio_log10=np.full(EPOCHS, LOW - 1)))
    assert one.curves == ("update_ratio_log10", "loss")
    (one,) = learning_rate.find(planted(loss=STRAIGHT))
    assert one.curves == ("loss",)


def test_a_loss_that_crosses_0_has_no_parts_of_itself():
    zigzag = np.tile([0.5, 1.0], 10)
    found = {one.code for one in learning_rate.find(Evidence.read({"loss": zigzag}))}
    assert learning_rate.TOO_HIGH.code in found
    assert list(learning_rate.find(Evidence.read({"loss": zigzag - 0.75}))) == []


@pytest.mark.parametrize(("over", "expected"), [(25, too_low("high")), (24, [])])
def test_rate_that_is_over_in_most_epochs(over, expected):
    """A schedule in epochs that was taken for steps; more than three fifths of the epochs, not three fifths."""
    assert int(learning_rate.LONG * EPOCHS) == 24
    rates = np.where(np.arange(EPOCHS) < EPOCHS - over, 1e-2, 0.99e-4)
    assert told(learning_rate=rates) == expected
    assert told(learning_rate=np.where(rates < 1e-3, 1.01e-4, rates)) == []
    for one in learning_rate.find(planted(learning_rate=rates)):
        assert f"below a hundredth of its largest in {over} of {EPOCHS} epochs" in one.seen
        assert one.why == f"its learning rate was over in {over} of its epochs"


def test_rate_that_falls_from_stage_to_stage_is_not_over():
    """A hundredth of the first stage's rate in three quarters of the epochs, as it was meant; or over in each stage."""
    first, epochs = EPOCHS // 4, np.arange(EPOCHS)
    rates = np.where(epochs < first, 1e-2, 0.99e-4)
    assert told(learning_rate=rates) == too_low("high")

    def staged(rates):
        columns = {name: (epochs, values) for name, values in healthy(learning_rate=rates).items()}
        evidence = Evidence.read(Curves(columns, stages=[(0, "coarse"), (first, "fine")]))
        return [(one.code, one.level, one.confidence) for one in learning_rate.find(evidence)]

    assert staged(rates) == []
    begins = (epochs % first == 0) & (epochs <= first)  # the first epoch of each stage
    assert staged(np.where(begins, rates, rates / 1e3)) == too_low("high")
