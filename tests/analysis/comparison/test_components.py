import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from unetdyn.analysis import summarise, variance_components
from unetdyn.analysis.comparison.component_cells import Cells
from unetdyn.analysis.comparison.component_estimates import _Likelihood

NAMES = ("architecture", "optimisation", "stochastic")
PLANTED = {"architecture": 0.05**2, "optimisation": 0.04**2, "stochastic": 0.02**2}


def planted(rng, shape, crossed=False, lost=0.0):
    """Architecture, setting, seed and value of each run; settings are nested or crossed."""
    a, b, e = (np.sqrt(PLANTED[name]) for name in NAMES)
    common = rng.normal(0, b, shape[1]) * np.sqrt(0.5) * crossed
    rows = []
    for i in range(shape[0]):
        own = 0.7 + rng.normal(0, a)
        for j in range(shape[1]):
            middle = own + common[j] + rng.normal(0, b) * (np.sqrt(0.5) if crossed else 1)
            rows += [(i, j + 1 if crossed else 100 * i + j, k, middle + rng.normal(0, e)) for k in range(shape[2])]
    kept = sorted(rng.permutation(len(rows))[int(lost * len(rows)) :])
    return pd.DataFrame([rows[k] for k in kept], columns=["architecture", "batch_size", "seed", "y"])


def as_runs(frame):
    one = summarise({"val_jaccard": [0.5]})  # reading a history takes longer than what is tested
    return [
        replace(
            one,
            name=str(row.Index),
            performance=row.y,
            factors={"architecture": row.architecture, "batch_size": row.batch_size, "seed": row.seed},
        )
        for row in frame.itertuples()
    ]


def by_mixedlm(frame, crossed):
    """statsmodels' REML estimates; it warns of a boundary near small variances, where it is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if crossed:
            parts = {"a": "0 + C(architecture)", "b": "0 + C(batch_size)", "c": "0 + C(architecture):C(batch_size)"}
            model = smf.mixedlm("y ~ 1", frame.assign(g=1), groups="g", re_formula="0", vc_formula=parts)
            fitted = model.fit(reml=True)
            return dict(zip(NAMES, (fitted.vcomp[0], fitted.vcomp[1] + fitted.vcomp[2], fitted.scale), strict=True))
        parts = {"b": "0 + C(batch_size)"}
        model = smf.mixedlm("y ~ 1", frame, groups="architecture", re_formula="1", vc_formula=parts)
        fitted = model.fit(reml=True)
        return dict(zip(NAMES, (fitted.cov_re.iloc[0, 0], fitted.vcomp[0], fitted.scale), strict=True))


@pytest.mark.parametrize("lost", [0.0, 0.3])
@pytest.mark.parametrize("crossed", [False, True])
def test_components_against_statsmodels(crossed, lost):
    frame = planted(np.random.default_rng(2), (6, 5, 3), crossed, lost)
    expected = by_mixedlm(frame, crossed)
    found = variance_components(as_runs(frame))
    assert (found.method, found.design) == ("REML" if lost else "moments", "crossed" if crossed else "nested")
    for name in NAMES:
        assert expected[name] > 0
        part = getattr(found, name)
        assert part.variance == pytest.approx(expected[name], rel=5e-3)
        assert part.low <= part.variance <= part.high
        assert part.share == pytest.approx(part.variance / found.total)
    assert found.total == pytest.approx(sum(getattr(found, name).variance for name in NAMES))


def test_stochastic_interval_against_its_closed_form():
    frame = planted(np.random.default_rng(3), (3, 4, 3))
    found = variance_components(as_runs(frame), confidence=0.9).stochastic
    squares = np.sum((frame.y - frame.groupby("batch_size").y.transform("mean")) ** 2)
    assert found.variance == pytest.approx(squares / 24)
    assert (found.low, found.high) == pytest.approx(tuple(squares / stats.chi2.ppf([0.95, 0.05], 24)), rel=0.02)


def test_components_cover_what_was_planted_and_are_unbiased():
    """500 draws: 0.95 has a standard error of 0.01; a mean of the largest ratio has about 0.035."""
    rng = np.random.default_rng(4)
    found = [variance_components(as_runs(planted(rng, (6, 4, 2)))) for _ in range(500)]
    for name, true in PLANTED.items():
        parts = [getattr(one, name) for one in found]
        assert np.mean([part.raw for part in parts]) == pytest.approx(true, rel=0.11)
        assert 0.92 <= np.mean([part.low <= true <= part.high for part in parts]) <= 0.98


def test_reml_covers_what_was_planted():
    """40 draws: all but a few intervals must hold the truth; the full figures are the benchmark's."""
    rng = np.random.default_rng(5)
    found = [variance_components(as_runs(planted(rng, (6, 4, 3), lost=0.3))) for _ in range(40)]
    for name, true in PLANTED.items():
        parts = [getattr(one, name) for one in found]
        assert np.mean([part.low <= true <= part.high for part in parts]) >= 0.85
        assert np.mean([part.variance for part in parts]) == pytest.approx(true, rel=0.35)


@pytest.mark.parametrize("crossed", [False, True])
def test_reml_likelihood_against_the_density_of_the_runs(crossed):
    """Differences of −2 log restricted likelihood equal those of the full formula with every run in its place."""
    frame = planted(np.random.default_rng(6), (4, 3, 3), crossed, lost=0.25)
    cells = Cells.of(list(zip(frame.architecture, frame.batch_size, strict=True)), frame.y.to_numpy(), None)
    likelihood = _Likelihood(cells, NAMES)
    y = frame.y.to_numpy() / np.sqrt(likelihood.scale)

    def brute(x):
        a, b, e = np.exp(x[:3])
        share = 1 / (1 + np.exp(-x[3])) if crossed else 0.0
        same_a = frame.architecture.to_numpy()[:, None] == frame.architecture.to_numpy()
        same_b = frame.batch_size.to_numpy()[:, None] == frame.batch_size.to_numpy()
        v = a * same_a + b * share * same_b + b * (1 - share) * (same_a & same_b) + e * np.eye(len(y))
        contrasts = np.linalg.qr(np.column_stack([np.ones(len(y)), np.eye(len(y))[:, 1:]]))[0][:, 1:]
        return -2 * stats.multivariate_normal(cov=contrasts.T @ v @ contrasts).logpdf(contrasts.T @ y)

    points = np.random.default_rng(0).uniform(-3, 1, (4, 3 + crossed))
    ours, theirs = [likelihood(x)[0] for x in points], [brute(x) for x in points]
    assert np.diff(ours) == pytest.approx(np.diff(theirs), rel=1e-8)
    step = 1e-6 * np.eye(len(points[0]))
    numeric = [(likelihood(points[0] + h)[0] - likelihood(points[0] - h)[0]) / 2e-6 for h in step]
    assert likelihood(points[0])[1] == pytest.approx(numeric, rel=1e-4, abs=1e-6)


def test_reml_interval_ends_where_the_likelihood_has_fallen_by_half_of_chi_squared():
    frame = planted(np.random.default_rng(7), (5, 4, 3), lost=0.3)
    found = variance_components(as_runs(frame))
    cells = Cells.of(list(zip(frame.architecture, frame.batch_size, strict=True)), frame.y.to_numpy(), None)
    likelihood = _Likelihood(cells, NAMES)
    best = np.log([getattr(found, name).variance / likelihood.scale for name in NAMES])
    for index, name in enumerate(NAMES):
        for end in (getattr(found, name).low, getattr(found, name).high):
            if end > 0:
                at = likelihood.lowest(best, {index: np.log(end / likelihood.scale)})[0]
                assert at - likelihood(best)[0] == pytest.approx(stats.chi2.ppf(0.95, 1), abs=0.05)


def test_a_negative_estimate_is_shown_as_zero_and_told():
    rows = [("a", 1, 0, 0.4), ("a", 1, 1, 0.6), ("a", 2, 0, 0.7), ("a", 2, 1, 0.3)]
    found = variance_components(as_runs(pd.DataFrame(rows, columns=["architecture", "batch_size", "seed", "y"])))
    # Means 0.5 and 0.5: the settings' mean square is 0, that within is (0.02 + 0.08) / 2
    assert found.optimisation.raw == pytest.approx((0 - 0.05) / 2)
    assert (found.optimisation.variance, found.optimisation.low) == (0.0, 0.0)
    assert found.total == found.stochastic.variance == pytest.approx(0.05)
    assert "the estimate of σ² optimisation is negative (-0.025) and shown as 0" in str(found)
    assert found.architecture.reason == "there is only one architecture"


def test_reml_at_its_bound_says_so():
    rows = [(a, a * 10 + b, k, 0.5 + 0.1 * k) for a in range(3) for b in range(2) for k in range(3)][:-1]
    found = variance_components(as_runs(pd.DataFrame(rows, columns=["architecture", "batch_size", "seed", "y"])))
    assert found.method == "REML"
    assert (found.architecture.variance, found.optimisation.variance) == (0.0, 0.0)
    assert "σ² architecture is at its bound of 0" in str(found)


def make(cells):
    return as_runs(
        pd.DataFrame(
            [(a, b, k, y) for (a, b), values in cells.items() for k, y in enumerate(values)],
            columns=["architecture", "batch_size", "seed", "y"],
        )
    )


def test_components_say_what_a_set_does_not_tell():
    found = variance_components(make({("a", 8): [0.1], ("b", 8): [0.2]}))
    assert {getattr(found, name).reason for name in NAMES} == {
        "no settings were run again with another seed, so that chance can't be told from them"
    }
    assert np.isnan(found.total)
    found = variance_components(make({("a", 8): [0.1, 0.2], ("b", 16): [0.2, 0.5]}))
    assert "each architecture has one setting of its own" in found.architecture.reason
    assert found.architecture.reason == found.optimisation.reason
    assert found.stochastic.variance == pytest.approx((0.005 + 0.045) / 2)
    found = variance_components(make({("a", 8): [0.1, 0.2], ("b", 8): [0.4, 0.5], ("c", 8): [0.7, 0.8]}))
    assert found.optimisation.reason == "the settings are the same in every run"
    assert found.architecture.variance == pytest.approx(np.var([0.15, 0.45, 0.75], ddof=1) - 0.005 / 2)
    found = variance_components(make({("a", 8): [0.1, 0.1], ("b", 8): [0.4, 0.4]}))
    assert found.stochastic.reason == "runs that differ in their seed alone do not differ at all"
    assert "undetermined: runs that differ in their seed" in str(variance_components(make({("a", 8): [0.1, 0.1]})))
    assert variance_components([]).stochastic.reason


def test_stochastic_part_of_an_unbalanced_set_without_repeated_settings():
    """The architectures' differences are no part of it, though they can't be told from those of the settings."""
    found = variance_components(make({("a", 8): [0.1, 0.2], ("b", 16): [2.2, 2.5, 2.8], ("c", 32): [7.1, 7.2]}))
    assert found.method == "REML"
    assert "one setting of its own" in found.architecture.reason
    assert found.stochastic.variance == pytest.approx((0.005 + 0.18 + 0.005) / 4, rel=1e-3)


def test_components_tell_of_other_differences_within_settings():
    runs = make({("a", 8): [0.1, 0.2], ("a", 16): [0.3, 0.2]})
    wider = [summarise(run, factors={"filters": 8 * (1 + k % 2), "name": f"take {k}"}) for k, run in enumerate(runs)]
    note = "runs of the same settings differ in filters too, which σ² stochastic then contains"
    assert note in variance_components(wider).notes
    assert note not in variance_components(wider, settings=("batch_size", "filters")).notes
    assert not any("too, which" in note for note in variance_components(runs).notes)


def test_components_tell_of_settings_that_are_lists_or_null():
    runs = make({("a", 8): [0.1, 0.2], ("a", 16): [0.3, 0.2]})
    split = [summarise(run, factors={"train": [0, 5 + k]}) for k, run in enumerate(runs)]
    assert "runs of the same settings differ in train too" in str(variance_components(split))
    assert variance_components(split, settings=("batch_size", "train")).cells == 4
    clipped = [summarise(run, factors={"clipnorm": None if k % 2 else 1.0}) for k, run in enumerate(runs)]
    assert "runs of the same settings differ in clipnorm too" in str(variance_components(clipped))
    told = [summarise(run, factors={"clipnorm": None} if k % 2 else {}) for k, run in enumerate(runs)]
    assert "runs of the same settings differ in clipnorm too" in str(variance_components(told))
    unseeded = [summarise(run, factors={"seed": None}) for run in runs]
    assert not any("same seed" in note for note in variance_components(unseeded).notes)


def test_components_take_a_lone_name_and_refuse_one_that_no_run_has():
    runs = make({("a", 8): [0.1, 0.2], ("a", 16): [0.3, 0.2]})
    expected = str(variance_components(runs, settings=["batch_size"]))
    assert str(variance_components(runs, settings="batch_size")) == expected == str(variance_components(runs))
    with pytest.raises(ValueError, match=r"No run has the factor 'bach_size'.* Did you mean 'batch_size'\?"):
        variance_components(runs, settings=("bach_size",))


def test_components_mind_repeated_seeds_few_architectures_and_missing_numbers():
    runs = make({("a", 8): [0.1, 0.2], ("a", 16): [0.3, 0.2], ("b", 8): [0.5, 0.7], ("b", 16): [0.4, 0.5]})
    again = [summarise(run, factors={"seed": 0}) for run in runs]
    nothing = summarise({"val_jaccard": [float("nan")]}, "diverged", {"architecture": "a", "batch_size": 8})
    found = variance_components([*again, nothing])
    assert "4 runs repeat settings with the same seed" in str(found)
    assert "2 architectures say little of the variance of all" in str(found)
    assert found.excluded == {"diverged": "its performance is not a number"}
    assert found.stochastic == variance_components(runs).stochastic


def test_nested_design_of_a_crossed_set_takes_the_architectures_too_small():
    """Why the default is crossed: the settings' own effect is otherwise subtracted from the architectures'."""
    rng = np.random.default_rng(8)
    sets = [as_runs(planted(rng, (5, 4, 2), crossed=True)) for _ in range(150)]
    nested, crossed = (
        np.mean([variance_components(runs, design=design).architecture.raw for runs in sets])
        for design in ("nested", None)
    )
    assert crossed - nested == pytest.approx(PLANTED["optimisation"] / 2 / 4, rel=0.25)
    assert crossed == pytest.approx(PLANTED["architecture"], rel=0.25)


def test_components_refuse_wrong_arguments():
    with pytest.raises(ValueError, match=r"`design` must be one of 'nested', 'crossed', None. Received: design='cr"):
        variance_components([], design="cross")
    with pytest.raises(ValueError, match=r"`confidence` must lie between 0 and 1.*Received: confidence=1"):
        variance_components([], confidence=1)
    with pytest.raises(ValueError, match=r"No run has the factor 'architecture'; they have none"):
        variance_components([summarise({"val_jaccard": [0.5]})])


def test_components_of_five_hundred_runs():
    assert variance_components(as_runs(planted(np.random.default_rng(9), (10, 10, 6), lost=0.2))).runs == 480
