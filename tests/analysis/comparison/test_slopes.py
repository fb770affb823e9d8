import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from unetdyn.analysis import sensitivity, stability_exponent, summarise


def run(performance, name=None, **factors):
    return summarise({"val_jaccard": [performance]}, name, factors=factors)


def planted(seed=0, noise=0.02):
    rng = np.random.default_rng(seed)
    rows = [
        (name, rate, batch, 0.4 + 0.1 * (name == "b") - 0.05 * np.log10(rate) + 0.002 * batch + noise * rng.normal())
        for name in "abc"
        for rate in (1e-4, 1e-3, 1e-2)
        for batch in (8, 16, 32)
        if rng.uniform() < 0.8
    ]
    frame = pd.DataFrame(rows, columns=["architecture", "learning_rate", "batch_size", "y"])
    runs = [
        run(row.y, architecture=row.architecture, learning_rate=row.learning_rate, batch_size=row.batch_size)
        for row in frame.itertuples()
    ]
    return frame, runs


def numbers(slope):
    return slope.estimate, slope.low, slope.high


@pytest.mark.parametrize(("robust", "kind"), [(True, "HC3"), (False, "nonrobust")])
def test_sensitivity_against_statsmodels(robust, kind):
    frame, runs = planted()
    fitted = smf.ols("y ~ np.log10(learning_rate) + batch_size + C(architecture)", frame).fit(cov_type=kind, use_t=True)
    ends = fitted.conf_int(alpha=0.1)
    found = sensitivity(runs, confidence=0.9, robust=robust)
    for slope, name in ((found.learning_rate, "np.log10(learning_rate)"), (found.batch_size, "batch_size")):
        assert numbers(slope) == pytest.approx((fitted.params[name], *ends.loc[name]), rel=1e-6)
    assert (found.runs, found.residual_df) == (len(frame), fitted.df_resid)
    assert "architecture" in str(found)


def test_sensitivity_finds_planted_slopes_exactly_without_noise():
    found = sensitivity(planted(noise=0)[1])
    assert found.learning_rate.estimate == pytest.approx(-0.05)
    assert found.batch_size.estimate == pytest.approx(0.002)


def test_sensitivity_says_what_cannot_be_told():
    together = [run(v, learning_rate=r, batch_size=b) for v, r, b in ((0.1, 1e-2, 8), (0.2, 1e-2, 8), (0.5, 1e-3, 16))]
    found = sensitivity(together)
    assert found.learning_rate.reason == found.batch_size.reason == "it changes only together with the other factors"
    one_batch = [run(v, learning_rate=r, batch_size=8) for v, r in ((0.1, 1e-2), (0.2, 1e-2), (0.5, 1e-3))]
    found = sensitivity(one_batch)
    assert found.batch_size.reason == "it is the same in every run"
    assert found.learning_rate.estimate == pytest.approx(-0.35)
    assert "one run alone decides it" in found.learning_rate.reason
    assert "undetermined: one run alone decides it" in str(found)
    equal = sensitivity(one_batch, robust=False).learning_rate
    assert equal.low < equal.estimate < equal.high
    assert "no run is left over" in sensitivity(one_batch[1:]).learning_rate.reason
    assert sensitivity([]).learning_rate.reason == "there are no runs to compare"


def test_sensitivity_is_not_moved_by_the_only_run_of_an_architecture():
    _, runs = planted()
    alone = run(0.01, architecture="d", learning_rate=1e-3, batch_size=8)
    assert numbers(sensitivity([*runs, alone]).learning_rate) == pytest.approx(numbers(sensitivity(runs).learning_rate))


def test_sensitivity_leaves_out_runs_without_numbers():
    _, runs = planted()
    wrong = [
        run(0.5, "zero", architecture="a", learning_rate=0.0, batch_size=8),
        run(0.5, "word", architecture="a", learning_rate="auto", batch_size=8),
        run(float("nan"), "diverged", architecture="a", learning_rate=0.1, batch_size=8),
        run(0.5, "bare", architecture="a", learning_rate=0.1),
    ]
    found = sensitivity([*runs, *wrong])
    assert list(found.excluded) == ["diverged", "bare", "zero", "word"]
    assert found.excluded["bare"] == "no batch_size is recorded"
    assert found.excluded["zero"] == "its learning rate or batch size is not above 0"
    assert found.learning_rate == sensitivity(runs).learning_rate


def test_sensitivity_takes_numbers_of_numpy():
    frame, runs = planted()
    again = [
        summarise(run, factors={"learning_rate": np.float32(row.learning_rate), "batch_size": np.int64(row.batch_size)})
        for run, row in zip(runs, frame.itertuples(), strict=True)
    ]
    assert numbers(sensitivity(again).learning_rate) == pytest.approx(
        numbers(sensitivity(runs).learning_rate), rel=1e-5
    )


def test_sensitivity_takes_a_lone_name_and_refuses_one_that_no_run_has():
    _, runs = planted()
    assert sensitivity(runs, held="architecture") == sensitivity(runs)
    assert sensitivity(runs, held=()).held == ()
    bare = [run(v, learning_rate=r, batch_size=8) for v, r in ((0.1, 1e-2), (0.5, 1e-3))]
    assert sensitivity(bare).held == ()
    with pytest.raises(ValueError, match=r"No run has the factor 'architectur'.* Did you mean 'architecture'\?"):
        sensitivity(runs, held="architectur")
    with pytest.raises(ValueError, match=r"No run has the factor 'architecture'; they have learning_rate, batch_size"):
        sensitivity(bare, held=["architecture"])


def test_sensitivity_refuses_wrong_arguments():
    with pytest.raises(ValueError, match=r"`confidence` must lie between 0 and 1.*Received: confidence=95"):
        sensitivity([], confidence=95)
    with pytest.raises(ValueError, match=r"No run has the factor 'learning_rate'; they have none"):
        sensitivity([run(0.5)])


def test_stability_exponent_against_statsmodels():
    rng = np.random.default_rng(0)
    rates = 10.0 ** rng.uniform(-5, -1, 12)
    sigmas = 0.3 * rates**0.7 * np.exp(0.3 * rng.normal(size=12))
    frame = pd.DataFrame({"x": np.log10(rates), "y": np.log10(sigmas)})
    fitted = smf.ols("y ~ x", frame).fit()
    found = stability_exponent(rates, sigmas, confidence=0.9)
    assert (found.exponent, found.low, found.high) == pytest.approx((fitted.params.x, *fitted.conf_int(0.1).loc["x"]))
    assert found.constant == pytest.approx(10**fitted.params.Intercept)
    assert found.r_squared == pytest.approx(fitted.rsquared)
    assert "90 % interval" in str(found)


def test_stability_exponent_covers_the_planted_one():
    """400 draws: 0.95 has a standard error of 0.011."""
    rng = np.random.default_rng(1)
    rates = np.repeat(10.0 ** np.arange(-5, 0), 2)
    found = [stability_exponent(rates, rates**0.5 * np.exp(0.2 * rng.normal(size=10))) for _ in range(400)]
    assert np.mean([one.low <= 0.5 <= one.high for one in found]) == pytest.approx(0.95, abs=0.035)
    assert np.mean([one.exponent for one in found]) == pytest.approx(0.5, abs=0.01)


def test_stability_exponent_leaves_out_what_has_no_logarithm():
    found = stability_exponent([1e-3, 1e-2, 1e-1, 1.0, 0.0], [0.01, 0.1, 1.0, float("nan"), 0.5])
    assert (found.runs, found.left_out) == (3, 2)
    assert found.exponent == pytest.approx(1.0)
    assert "3 runs, 2 left out" in str(found)


@pytest.mark.parametrize(
    ("rates", "sigmas", "reason", "exponent"),
    [
        ([], [], "two different learning rates", None),
        ([0.1, 0.1, 0.1], [0.2, 0.3, 0.4], "two different learning rates", None),
        ([0.1, 0.01], [0.2, 0.02], "two runs always lie on a line", 1.0),
    ],
)
def test_stability_exponent_says_what_it_lacks(rates, sigmas, reason, exponent):
    found = stability_exponent(rates, sigmas)
    assert reason in str(found)
    assert np.isnan(found.low)
    assert np.isnan(found.exponent) if exponent is None else found.exponent == pytest.approx(exponent)


def test_stability_exponent_of_a_constant_sigma_is_zero_without_an_interval():
    found = stability_exponent([1e-3, 1e-2, 1e-1], [0.1, 0.1, 0.1])
    assert (found.exponent, found.reason) == (0.0, "σ is the same in every run")
    assert np.isnan(found.low)


def test_stability_exponent_refuses_wrong_arguments():
    with pytest.raises(ValueError, match=r"must have one value a run.*Received: shapes \(2,\) and \(1,\)"):
        stability_exponent([0.1, 0.2], [0.1])
    with pytest.raises(ValueError, match=r"`confidence` must lie between 0 and 1.*Received: confidence=0"):
        stability_exponent([0.1, 0.2], [0.1, 0.2], confidence=0)
