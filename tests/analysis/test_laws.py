"""The laws against spectral radii, simulated gradients and closed forms, and what they are said to be worth."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize

from unetdyn.analysis import (
    batch_gradient_variance,
    batch_size_for_data,
    learning_rate_for_noise_and_curvature,
    learning_rate_for_size,
    optimal_momentum,
    statistical_power_ratio,
    warmup_epochs,
)

KAPPAS = [1.0, 4.0, 100.0, 2500.0]


def rate(method, kappa, lr, momentum):
    """By how much a step shrinks the error on a quadratic with curvatures from 1 / κ to 1: the largest eigenvalue."""
    curvatures = np.geomspace(1 / kappa, 1, 60)
    matrices = np.zeros((len(curvatures), 2, 2))
    kept = 1 - lr * curvatures
    if method == "heavy ball":
        matrices[:, 0] = np.stack([kept + momentum, np.full_like(kept, -momentum)], axis=1)
    else:
        matrices[:, 0] = np.stack([(1 + momentum) * kept, -momentum * kept], axis=1)
    matrices[:, 1, 0] = 1
    return float(np.abs(np.linalg.eigvals(matrices)).max())


@pytest.mark.parametrize("kappa", KAPPAS[1:3])
def test_nesterovs_momentum_is_the_best_of_all_at_its_learning_rate(kappa):
    momenta = np.linspace(0, 0.99, 991)
    best = momenta[np.argmin([rate("nesterov", kappa, 1.0, momentum) for momentum in momenta])]
    assert optimal_momentum(kappa) == pytest.approx(best, abs=0.001)
    # Roots that coincide are known to the square root of the rounding.
    assert rate("nesterov", kappa, 1.0, optimal_momentum(kappa)) == pytest.approx(1 - 1 / math.sqrt(kappa), abs=1e-6)


@pytest.mark.parametrize("kappa", KAPPAS[1:3])
def test_heavy_balls_momentum_is_the_best_of_all_learning_rates_and_momenta(kappa):
    ratio = (math.sqrt(kappa) - 1) / (math.sqrt(kappa) + 1)
    momentum, lr = optimal_momentum(kappa, "heavy ball"), 4 / (1 + 1 / math.sqrt(kappa)) ** 2
    own = rate("heavy ball", kappa, lr, momentum)
    assert own == pytest.approx(ratio, abs=1e-6)
    starts = [(lr, momentum), (1.0, 0.5), (2.0, 0.9)]
    searched = [minimize(lambda x: rate("heavy ball", kappa, *x), start, method="Nelder-Mead").fun for start in starts]
    assert own <= min(searched) + 1e-6


@pytest.mark.parametrize("kappa", KAPPAS[1:])
def test_the_formula_of_the_studies_is_too_large_for_a_heavy_ball(kappa):
    lr = 4 / (1 + 1 / math.sqrt(kappa)) ** 2
    as_momentum = rate("heavy ball", kappa, lr, optimal_momentum(kappa, "nesterov"))
    assert as_momentum > rate("heavy ball", kappa, lr, optimal_momentum(kappa, "heavy ball"))


def test_momentum_needs_none_where_all_curvatures_are_one():
    assert optimal_momentum(1) == optimal_momentum(1, "heavy ball") == 0
    assert 0.88 < optimal_momentum(1000, "heavy ball") < optimal_momentum(1000) < 1


def test_the_rate_goes_down_with_noise_and_curvature_as_a_root():
    args = {"lr": 0.1, "variance": 2.0, "curvature": 3.0}
    expected = 0.1 * (2 * 3 / (5 * 7)) ** 0.5
    assert learning_rate_for_noise_and_curvature(**args, new_variance=5.0, new_curvature=7.0) == pytest.approx(expected)
    assert learning_rate_for_noise_and_curvature(**args, new_variance=2.0, new_curvature=3.0) == 0.1


def test_a_loss_times_four_shows_that_the_rule_of_noise_and_curvature_does_not_keep_its_unit():
    """The same steps need lr / 4: w − (lr / 4) ∇(4 L) = w − lr ∇L. The rule gives lr / 8."""
    rng = np.random.default_rng(0)
    gradients = rng.normal(0, 1, 1000)
    scaled = learning_rate_for_noise_and_curvature(1.0, np.var(gradients), 1.0, np.var(4 * gradients), 4.0)
    assert scaled == pytest.approx(1 / 8)


@pytest.mark.parametrize(("curvature", "variance"), [(2.0, 1e-6), (0.5, 1.0), (1.0, 400.0)])
def test_the_best_step_on_a_noisy_quadratic_is_as_stated(curvature, variance):
    distance, lrs = 1.5, np.linspace(1e-4, 2.5, 200_001)
    expected_loss = (1 - lrs * curvature) ** 2 * distance**2 + lrs**2 * variance
    stated = curvature * distance**2 / (curvature**2 * distance**2 + variance)
    assert lrs[np.argmin(expected_loss)] == pytest.approx(stated, abs=2e-5)


def test_the_rate_for_another_size_is_the_root_of_data_over_parameters():
    def by_hand(samples, parameters):
        return math.sqrt(samples / parameters)

    found = learning_rate_for_size(1e-3, 144, 500_000, 1980, 31_000_000)
    assert found == pytest.approx(1e-3 * by_hand(1980, 31_000_000) / by_hand(144, 500_000))
    # A layer of width m has m² weights, and Adam's rate goes with 1 / m.
    assert learning_rate_for_size(1e-3, 10, 64**2, 10, 256**2) == pytest.approx(1e-3 * 64 / 256)


@pytest.mark.parametrize(
    ("args", "expected"),
    [((8, 100, 400, 64), 16), ((8, 100, 400, 12), 12), ((8, 400, 100, 64), 4), ((1, 100, 1, 9), 1)],
)
def test_the_batch_grows_with_the_root_of_the_data_up_to_the_limit(args, expected):
    assert batch_size_for_data(*args) == expected


def test_the_noise_scale_is_a_matter_of_gradients_and_not_of_how_many_samples_there_are():
    rng = np.random.default_rng(1)
    few, many = (rng.normal(1.0, 2.0, count) for count in (20_000, 320_000))
    scales = [np.var(gradients) / np.mean(gradients) ** 2 for gradients in (few, many)]
    assert scales[0] == pytest.approx(scales[1], rel=0.1)  # where the rule would have it grow four times


def test_the_warm_up_is_the_natural_logarithm():
    assert warmup_epochs(1) == 0
    assert [warmup_epochs(2**k) for k in range(5)] == pytest.approx([k * 0.6931471805599453 for k in range(5)])


def test_a_batchs_mean_has_the_stated_variance():
    means = np.random.default_rng(2).normal(3.0, 1.7, (100_000, 8)).mean(axis=1)
    assert batch_gradient_variance(1.7**2, 8) == pytest.approx(np.var(means), rel=0.02)  # 5 standard errors
    assert batch_gradient_variance(1.0, 4) == batch_gradient_variance(1.0, 2) / 2


def test_statistical_power_is_the_ratio_of_standard_errors():
    rng = np.random.default_rng(3)
    errors = [rng.normal(0, 1, (20_000, count)).mean(axis=1).std() for count in (14, 200)]
    assert statistical_power_ratio(14, 200) == pytest.approx(errors[0] / errors[1], rel=0.03)
    assert statistical_power_ratio(14, 200) == pytest.approx(3.78, abs=0.005)  # as the studies print it


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: optimal_momentum(0.5), r"`condition_number` must be a finite number, 1 or above. Received: .*=0.5"),
        (lambda: optimal_momentum(4, "nestrov"), r"`method` must be one of 'nesterov', .* Did you mean 'nesterov'\?"),
        (lambda: learning_rate_for_noise_and_curvature(1, 1, 0, 1, 1), r"`curvature` must be a finite .*curvature=0\."),
        (lambda: learning_rate_for_noise_and_curvature(1, 1, 1, -1, 1), r"`new_variance` must be .*new_variance=-1\."),
        (lambda: learning_rate_for_size(0, 1, 1, 1, 1), r"`lr` must be a finite number above 0. Received: lr=0\."),
        (lambda: learning_rate_for_size(1, 1, 1, 1, 0.5), r"`new_parameters` must be a whole number of weights, 1 or"),
        (lambda: batch_size_for_data(8, 1, 1, 0), r"`limit` must be a whole number of samples, 1 or more. .*limit=0"),
        (lambda: warmup_epochs(0), r"`batch_size` must be a whole number of samples, 1 or more. .*batch_size=0"),
        (lambda: batch_gradient_variance(-1, 8), r"`variance` must be a finite number, 0 or above. .*variance=-1"),
        (lambda: statistical_power_ratio(14, 1e2), r"`new_samples` must be a whole number of samples, .*pass 100"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(call, text):
    with pytest.raises(ValueError, match=text):
        call()
