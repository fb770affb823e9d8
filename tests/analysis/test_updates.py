"""Updates against simulated steps of SGD, the papers' own numbers, and Keras' early stopping."""

import math

import numpy as np
import pytest
from scipy.signal import lfilter

from unetdyn.analysis import patience, scale_learning_rate, update_variance, update_variance_ratio

LR, BATCH, SIGMA = 0.05, 8, 1.7


def steps(count, seed=0):
    """What plain SGD adds to a weight in each of many steps, when samples' gradients are 3 ± SIGMA."""
    gradients = np.random.default_rng(seed).normal(3.0, SIGMA, (count, BATCH))
    return -LR * gradients.mean(axis=1)


def test_update_variance_is_that_of_simulated_steps():
    count = 200_000
    simulated = np.var(steps(count), ddof=1)
    # The standard error of a normal variable's variance is sqrt(2 / n) of it: 0.3 %.
    assert update_variance(LR, BATCH, SIGMA**2) == pytest.approx(simulated, rel=5 * math.sqrt(2 / count))


def test_update_variance_without_replacement_is_smaller_by_the_stated_factor():
    rng = np.random.default_rng(1)
    samples, draws = rng.normal(0, SIGMA, 20), 100_000
    chosen = rng.permuted(np.tile(samples, (draws, 1)), axis=1)[:, :BATCH]
    simulated = np.var(-LR * chosen.mean(axis=1))
    stated = update_variance(LR, BATCH, float(np.var(samples))) * (20 - BATCH) / (20 - 1)
    assert simulated == pytest.approx(stated, rel=0.03)
    assert simulated < 0.7 * update_variance(LR, BATCH, float(np.var(samples)))


def test_momentum_has_the_stated_factors():
    momentum, plain = 0.9, update_variance(LR, BATCH, SIGMA**2)
    rng = np.random.default_rng(2)
    pushes = -LR * rng.normal(0, SIGMA / math.sqrt(BATCH), (4000, 1100))
    velocity = lfilter([1], [1, -momentum], pushes, axis=1)[:, 100:]
    assert np.var(velocity) == pytest.approx(plain / (1 - momentum**2), rel=0.03)
    path = np.var(velocity.sum(axis=1)) / velocity.shape[1]
    assert path == pytest.approx(plain / (1 - momentum) ** 2, rel=0.15)
    assert path == pytest.approx(update_variance(LR / (1 - momentum), BATCH, SIGMA**2), rel=0.15)


def test_update_variance_of_all_weights_is_the_expected_squared_length():
    rng = np.random.default_rng(3)
    sigmas = np.array([0.5, 1.0, 2.0])
    noise = -LR * rng.normal(0, sigmas, (100_000, BATCH, 3)).mean(axis=1)
    trace = float(np.sum(sigmas**2))
    assert update_variance(LR, BATCH, trace) == pytest.approx(np.mean(np.sum(noise**2, axis=1)), rel=0.03)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"lr": 1e-2, "new_lr": 1e-3}, (100, 1, 100)),
        ({"lr": 1e-3, "new_lr": 1e-3, "batch_size": 8, "new_batch_size": 16}, (1, 2, 2)),
        ({"lr": 1e-2, "new_lr": 1e-3, "batch_size": 8, "new_batch_size": 16}, (100, 2, 200)),
        ({"lr": 1e-3, "new_lr": 1e-2, "batch_size": 16, "new_batch_size": 8}, (0.01, 0.5, 0.005)),
    ],
)
def test_a_change_buys_what_the_studies_say(change, parts):
    result = update_variance_ratio(**change)
    assert (result.from_lr, result.from_batch_size, result.total) == pytest.approx(parts)


def test_update_variance_ratio_is_the_ratio_of_the_variances():
    result = update_variance_ratio(0.02, 0.005, 4, 24)
    assert result.total == pytest.approx(update_variance(0.02, 4, 0.3) / update_variance(0.005, 24, 0.3))


def test_update_variance_ratio_shows_itself():
    assert str(update_variance_ratio(1e-2, 1e-3, 8, 16)).splitlines() == [
        "learning rate 0.01 → 0.001  variance of a step 100 times smaller",
        "batch size 8 → 16           variance of a step 2 times smaller",
        "both                        variance of a step 200 times smaller",
    ]
    louder = str(update_variance_ratio(1e-3, 2e-3, 8)).splitlines()
    assert louder[0].endswith("variance of a step 4 times larger")
    assert louder[1] == "batch size 8 → 8             variance of a step unchanged"
    assert "200 times smaller</td>" in update_variance_ratio(1e-2, 1e-3, 8, 16)._repr_html_()


def test_linear_scaling_gives_the_published_learning_rate():
    # Goyal et al. (2017): 0.1 for 256 images, so 0.1 · 8192 / 256 = 3.2 for 8192.
    assert scale_learning_rate(0.1, 256, 8192) == pytest.approx(3.2)
    assert scale_learning_rate(3.2, 8192, 256) == pytest.approx(0.1)


def test_square_root_scaling_keeps_the_variance_of_simulated_steps():
    lr = scale_learning_rate(LR, BATCH, 4 * BATCH, rule="sqrt")
    assert lr == pytest.approx(2 * LR)
    gradients = np.random.default_rng(4).normal(3.0, SIGMA, (100_000, 4 * BATCH))
    assert np.var(-lr * gradients.mean(axis=1)) == pytest.approx(np.var(steps(100_000)), rel=0.03)


def test_linear_scaling_goes_as_far_in_one_step_as_k_steps():
    gradients = np.random.default_rng(5).normal(3.0, SIGMA, (4, BATCH))
    lr = scale_learning_rate(LR, BATCH, 4 * BATCH)
    assert -lr * gradients.mean() == pytest.approx(sum(-LR * batch.mean() for batch in gradients))


@pytest.mark.parametrize(
    ("plateau", "epoch", "epochs"),
    [(600, 45, 14), (600, 60, 10), (601, 60, 11), (1.1, 0.1, 11), (0.3, 0.1, 3), (1, 3600, 1), (1e6, 0.1, 10**7)],
)
def test_patience_is_rounded_up(plateau, epoch, epochs):
    assert patience(plateau, epoch) == epochs


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: update_variance(-0.1, 8, 1), r"`lr` must be a finite number, 0 or above. Received: lr=-0.1"),
        (lambda: update_variance("a", 8, 1), r"`lr` must be a finite number.* Received: lr='a'"),
        (lambda: update_variance(True, 8, 1), r"Received: lr=True"),
        (lambda: update_variance(0.1, 0, 1), r"`batch_size` must be a whole number of samples, 1 or more. Rec.*=0\."),
        (lambda: update_variance(0.1, 2.5, 1), r"Received: batch_size=2.5"),
        (lambda: update_variance(0.1, True, 1), r"Received: batch_size=True"),
        (lambda: update_variance(0.1, math.inf, 1), r"Received: batch_size=inf"),
        (lambda: update_variance(0.1, 8, math.nan), r"Received: grad_variance=nan"),
        (lambda: update_variance_ratio(0, 1), r"`lr` must be a finite number above 0. Received: lr=0"),
        (lambda: update_variance_ratio(1, 0), r"Received: new_lr=0"),
        (lambda: update_variance_ratio(1, 1, 8, 0), r"Received: new_batch_size=0"),
        (lambda: scale_learning_rate(0, 8, 16), r"Received: lr=0"),
        (lambda: scale_learning_rate(1, 8, 16, rule="liner"), r"`rule` must be one of .* Did you mean 'linear'\?"),
        (lambda: patience(0, 1), r"`plateau_seconds` must be a finite number above 0. Received: plateau_seconds=0"),
        (lambda: patience(10, math.inf), r"Received: epoch_seconds=inf"),
    ],
)
def test_wrong_arguments_are_refused(call, text):
    with pytest.raises(ValueError, match=text):
        call()
