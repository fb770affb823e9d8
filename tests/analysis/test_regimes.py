"""Underfitting, overfitting, too short: planted trainings, and those that leave it open."""

import numpy as np
import pytest
from scipy.stats import binomtest

from planted_noise import ar1
from unetdyn.analysis import diagnose, training_regime
from unetdyn.analysis.diagnosis.symptoms import gap
from unetdyn.analysis.regimes import FAR

T = np.arange(100.0)
LEFT = np.exp(-T / 8)


def planted(seed=0, phi=0.0, sigma=0.005, **curves):
    rng = np.random.default_rng(seed)
    return {name: curve + sigma * ar1(rng, len(curve), phi) for name, curve in curves.items()}


def underfitting(seed=0, **settings):
    """Both losses and both metrics stand still where they are bad."""
    levels = {"loss": 0.50 + 0.3 * LEFT, "val_loss": 0.52 + 0.3 * LEFT}
    return planted(seed, **settings, **levels, jaccard=0.32 - 0.3 * LEFT, val_jaccard=0.30 - 0.3 * LEFT)


def overfitting(seed=0, **settings):
    rises = 0.3 + 0.4 * LEFT + 0.005 * np.maximum(T - 40, 0)
    metrics = {"jaccard": 0.95 - 0.9 * np.exp(-T / 20), "val_jaccard": 0.7 - 0.6 * LEFT}
    return planted(seed, **settings, loss=0.05 + 0.6 * np.exp(-T / 20), val_loss=rises, **metrics)


def too_short(seed=0, **settings):
    falls = np.exp(-T / 80)
    metrics = {"jaccard": 0.9 - 0.8 * falls, "val_jaccard": 0.88 - 0.8 * falls}
    return planted(seed, **settings, loss=0.1 + 0.6 * falls, val_loss=0.12 + 0.6 * falls, **metrics)


def fits(seed=0, **settings):
    losses = {"loss": 0.10 + 0.6 * LEFT, "val_loss": 0.12 + 0.6 * LEFT}
    return planted(seed, **settings, **losses, jaccard=0.85 - 0.8 * LEFT, val_jaccard=0.8 - 0.8 * LEFT)


REGIMES = {
    "underfitting": underfitting,
    "overfitting": overfitting,
    "not trained long enough": too_short,
    "fits": fits,
}


@pytest.mark.parametrize("name", REGIMES)
@pytest.mark.parametrize("phi", [0.0, 0.4])
def test_planted_regimes_are_told_apart(name, phi):
    verdicts = [training_regime(REGIMES[name](seed, phi=phi)).verdict for seed in range(20)]
    assert set(verdicts) <= {name, "undetermined"}
    assert verdicts.count(name) >= 16


def test_a_wrong_regime_is_named_seldom_whatever_the_noise():
    results = [
        (name, training_regime(make(seed, phi=0.5, sigma=sigma)).verdict)
        for name, make in REGIMES.items()
        for sigma in (0.02, 0.05)
        for seed in range(25)
    ]
    wrong = sum(verdict not in (name, "undetermined") for name, verdict in results)
    assert binomtest(wrong, len(results)).proportion_ci(method="wilson").high < 0.1


def test_the_evidence_is_that_of_the_numbers():
    result = training_regime(underfitting())
    assert result.training_level == pytest.approx(np.mean(underfitting()["jaccard"][-10:]))
    assert result.validation_level == pytest.approx(np.mean(underfitting()["val_jaccard"][-10:]))
    assert result.evidence.startswith("the losses stand still at jaccard 0.3")
    labels = [line.split("  ")[0] for line in str(result).splitlines()]
    assert labels == ["verdict", "training loss", "validation loss", "training jaccard", "validation jaccard"]
    early = training_regime(too_short())
    # 0.6 e^(−t/80) falls by 0.6 / 80 e^(−85/80) an epoch in the middle of its last thirty.
    assert early.validation.slope == pytest.approx(-0.6 / 80 * np.exp(-84.5 / 80), rel=0.1)
    assert early.evidence.startswith("val_loss changes by -0.00")
    late = training_regime(overfitting())
    assert late.evidence == f"from epoch {late.onset.onset + 1} on: {late.onset.evidence}"


def test_the_same_gap_as_the_diagnosis_has():
    assert FAR == gap.FAR


def test_a_validation_that_stayed_behind_from_the_start_is_overfitting():
    history = fits()
    history["val_jaccard"] = history["val_jaccard"] / 2
    result = training_regime(history)
    assert result.regime == "overfitting"
    assert result.onset.onset is None
    assert any(finding.code == "metric.gap" for finding in diagnose(history).findings)


def test_a_metric_that_still_rises_was_not_trained_long_enough_though_the_loss_stands_still():
    history = fits() | {"val_jaccard": 0.4 + 0.004 * T}
    result = training_regime(history)
    assert result.regime == "not trained long enough"
    assert result.evidence.startswith("val_jaccard changes by 0.004 an epoch")


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        ({name: curve[:19] for name, curve in fits().items()}, "19 of the 20 epochs that it needs"),
        ({name: curve for name, curve in fits().items() if "loss" in name}, "the losses stand still, but no metric of"),
        (fits() | {"loss": 0.7 - 0.003 * T}, "the training loss falls on while validation stands still"),
        (
            underfitting() | {"val_jaccard": underfitting()["val_jaccard"] / 3},
            "jaccard 0.317, validation 0.0996: neither is good, and they lie far apart",
        ),
        (planted(sigma=0, loss=np.full(100, 0.3), val_loss=np.full(100, 0.3)), "loss: the curve never changed"),
        (fits(sigma=0.3), "loss changes by -0.00596 an epoch (90 % interval -0.0181 to 0.00673): whether it stands"),
    ],
)
def test_what_is_not_told_says_why(history, reason):
    result = training_regime(history)
    assert (result.verdict, result.regime, result.evidence) == ("undetermined", None, "")
    assert result.reason.startswith(reason)
    assert str(result).startswith("verdict")
    assert "undetermined: " + result.reason in str(result)


def test_without_a_metric_a_loss_that_counts_as_good_decides():
    def losses(history):
        return {name: curve for name, curve in history.items() if "loss" in name}

    assert training_regime(losses(underfitting()), good_loss=0.2).regime == "underfitting"
    assert training_regime(losses(fits()), good_loss=0.2).regime == "fits"


def test_without_validation_the_training_decides():
    def trained(history):
        return {name: curve for name, curve in history.items() if not name.startswith("val_")}

    assert training_regime(trained(underfitting())).regime == "underfitting"
    assert training_regime(trained(too_short())).regime == "not trained long enough"
    assert training_regime(trained(fits())).validation is None


def test_what_counts_as_good_can_be_said():
    assert training_regime(fits(), good=0.9).regime == "underfitting"
    assert training_regime(underfitting(), good=0.2).regime == "fits"


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"good": 1.5}, r"`good` must lie between 0 and 1, .* Received: good=1\.5"),
        ({"good_loss": 0}, r"`good_loss` must be a finite number above 0, or None. Received: good_loss=0"),
        ({"metric": "dice"}, r"'dice' was not logged in history, which has"),
        ({"metric": "loss"}, r"`metric` must be one of which more is better"),
    ],
)
def test_wrong_arguments_are_refused(kwargs, text):
    with pytest.raises(ValueError, match=text):
        training_regime(fits(), **kwargs)


def test_validation_that_still_falls_is_looked_at_though_it_has_not_converged():
    """`bool` of a criterion is its answer: one that says no is a criterion all the same."""
    t, noise = np.arange(80), 0.002 * np.random.default_rng(0).normal(size=(2, 80))
    logs = {"loss": 0.3 + noise[0], "val_loss": 0.9 - 0.005 * t + noise[1], "jaccard": np.full(80, 0.4)}
    assert training_regime(logs).regime == "not trained long enough"


@pytest.mark.parametrize("seed", range(3))
def test_validation_whose_slope_is_not_known_ends_in_no_error(seed):
    noise = np.random.default_rng(seed).normal(size=(2, 40))
    logs = {"loss": 0.3 + 0.001 * noise[0], "val_loss": 0.5 + 0.1 * noise[1], "jaccard": np.full(40, 0.4)}
    for val_loss in (logs["val_loss"], np.r_[logs["val_loss"][:30], np.full(10, np.nan)]):
        found = training_regime(logs | {"val_loss": val_loss})
        assert found.regime is None
        assert found.reason.endswith("whether it stands still can't be told")
