"""The limits of a loss, against NumPy's medians and against divergences that were planted."""

import numpy as np
import pytest

from unetdyn.analysis.divergence import divergence_limits

NOISE = np.random.default_rng(0).normal(size=400)


def judged(losses, **arguments):
    """What each loss is called, where only good ones become past, as a rollback has it."""
    past, words = [], []
    for loss in losses:
        words.append(divergence_limits(past, **arguments).judge(loss))
        if words[-1] == "good":
            past.append(loss)
    return words


def test_limits_are_median_and_mad_of_the_window_with_the_lowest_median():
    losses = 1 + 0.3 * NOISE[:60]
    found = divergence_limits(losses, k=4, window=7)
    medians = [np.median(losses[i : i + 7]) for i in range(54)]
    lowest = losses[np.argmin(medians) :][:7]
    mad = 1.4826 * np.median(np.abs(lowest - np.median(lowest)))
    assert mad > 0.05 * min(medians)
    assert found.level == min(medians)
    assert (found.deviation, found.suspicious, found.diverged) == pytest.approx(
        (mad, min(medians) + 2 * mad, min(medians) + 4 * mad), rel=1e-12
    )


def test_a_calm_loss_has_a_twentieth_of_its_level_for_a_deviation():
    found = divergence_limits([0.4] * 12, k=10)
    assert (found.level, found.deviation) == (0.4, pytest.approx(0.02))
    assert [found.judge(loss) for loss in (0.49, 0.59, 0.61)] == ["good", "suspicious", "diverged"]


def test_without_a_past_the_level_is_the_lowest_so_far_and_its_deviation_a_fifth():
    found = divergence_limits([], untrained=0.5)
    assert [found.judge(loss) for loss in (0.99, 1.01, 1.49, 1.51)] == ["good", "suspicious", "suspicious", "diverged"]
    assert divergence_limits([0.2, 0.3], untrained=0.7, k=4).diverged == pytest.approx(0.36)
    assert divergence_limits([], untrained=-2.0).diverged == pytest.approx(2.0)


@pytest.mark.parametrize(("past", "untrained"), [([], None), ([], float("nan")), ([0.0, 0.0], 0.0), ([0.0] * 9, None)])
def test_where_nothing_is_known_only_what_is_not_finite_has_diverged(past, untrained):
    found = divergence_limits(past, untrained)
    assert [found.judge(loss) for loss in (1e30, float("inf"), float("nan"))] == ["good", "diverged", "diverged"]


def test_rounding_of_a_loss_that_has_gone_to_nothing_is_no_divergence():
    found = divergence_limits([1.0, 1e-3, *[1e-14] * 20])
    assert found.judge(1e-12) == "good"
    assert divergence_limits([1.0, 1e-14]).judge(1e-12) == "good"


@pytest.mark.parametrize("growth", [1.02, 1.1, 1.5, 10.0])
def test_a_loss_that_creeps_up_is_noticed_before_it_has_doubled_its_deviations(growth):
    """Limits about the latest window would creep with it: ten values that grow evenly lie 1.5 deviations apart."""
    calm = 0.3 + 0.01 * NOISE[:40]
    losses = [*calm, *(0.3 * growth ** np.arange(1, 200))]
    words = judged(losses)
    first = words.index("diverged")
    assert set(words[:40]) == {"good"}
    assert losses[first - 1] <= 0.3 * 1.55
    last_good = max(place for place, word in enumerate(words[:first]) if word == "good")
    assert losses[last_good] <= 0.3 * 1.3


def test_a_training_that_goes_well_never_diverges():
    descent = 0.2 + 0.8 * np.exp(-np.arange(400) / 30)
    assert set(judged(descent, untrained=1.0)) == {"good"}
    noisy = judged(descent + 0.02 * NOISE, untrained=1.0)  # a tenth of the level
    assert "diverged" not in noisy
    assert noisy.count("suspicious") <= 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, r"`k` must be a finite number above 0. Received: k=0"),
        ({"window": 4}, r"`window` must be a whole number of epochs, 5 or more. Received: window=4"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        divergence_limits([1.0], **arguments)
