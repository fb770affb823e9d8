"""The probability of being the best: by brute force, in its limits, and as often as it is said."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from planted_designs import run, several
from unetdyn.analysis import probability_of_best, summarise


def test_probability_of_two_cells_by_brute_force():
    """The posterior on a grid of shrinkage, log σ² and common mean, with the likelihood of every single run."""
    one, two = np.array([0.9, 0.3, 0.7]), np.array([0.2, 0.5])
    found = probability_of_best(several({"one": one, "two": two}), draws=100_000)
    mean = (1 / 3 + 1 / 2) / 2
    shrinkage = (np.arange(60) + 0.5) / 60
    log, centre = np.linspace(-7, 3, 100), np.linspace(-4, 5, 300)
    b, variance, mu = np.meshgrid(shrinkage, np.exp(log), centre, indexing="ij")
    between = variance * mean * (1 / b - 1)
    logs, moments = np.zeros(b.shape), []
    for y in (one, two):
        own = variance / len(y)
        logs += stats.norm.logpdf(y.mean(), mu, np.sqrt(between + own))
        logs += -0.5 * (len(y) - 1) * np.log(variance) - 0.5 * np.sum((y - y.mean()) ** 2) / variance
        moments.append(((between * y.mean() + own * mu) / (between + own), between * own / (between + own)))
    weight = np.exp(logs - logs.max())
    (m1, v1), (m2, v2) = moments
    expected = np.sum(weight * stats.norm.cdf((m1 - m2) / np.sqrt(v1 + v2))) / weight.sum()
    best, other = found.candidates
    assert (best.settings, best.mean) == ({"group": "one"}, pytest.approx(one.mean()))
    assert best.probability == pytest.approx(expected, abs=0.006)
    assert other.probability == pytest.approx(1 - best.probability)
    lead = np.sum(weight * (m1 - m2)) / weight.sum()
    assert other.expected_loss - best.expected_loss == pytest.approx(lead, abs=0.006)


def test_many_runs_of_two_cells_have_students_probability():
    rng = np.random.default_rng(0)
    one, two = rng.normal(0.6, 1, 150), rng.normal(0.5, 1, 150)
    one_run = run(0.5)
    found = probability_of_best(
        [
            replace(one_run, name=f"{name} {n}", performance=float(v), factors={"group": name})
            for name, of in (("one", one), ("two", two), ("far below", rng.normal(-9, 1, 150)))
            for n, v in enumerate(of)
        ]
    )
    ranked = sorted([one.mean(), two.mean()])
    squares = np.sum((one - one.mean()) ** 2) + np.sum((two - two.mean()) ** 2)
    t = (ranked[1] - ranked[0]) / np.sqrt(squares / 298 * 2 / 150)
    assert found.best.probability == pytest.approx(stats.t.cdf(t, 298), abs=0.02)
    assert found.candidates[2].probability == 0


def test_probability_is_right_as_often_as_it_says():
    """180 designs of 6 cells with 3 seeds, true means scatter by 0.3 to 3 σ; the difference has an error of 0.04."""
    rng = np.random.default_rng(1)
    runs = [run(0.5, f"{cell}", cell=cell, seed=seed) for cell in range(6) for seed in range(3)]
    stated, right, loss, expected = [], [], [], []
    for ratio in np.repeat([0.3, 1.0, 3.0], 60):
        true = ratio * rng.normal(size=6)
        values = np.repeat(true, 3) + rng.normal(size=18)
        drawn = [replace(r, performance=float(value)) for r, value in zip(runs, values, strict=True)]
        best = probability_of_best(drawn, draws=500).best
        stated.append(best.probability)
        right.append(true[best.settings["cell"]] == true.max())
        loss.append(true.max() - true[best.settings["cell"]])
        expected.append(best.expected_loss)
    assert np.mean(stated) == pytest.approx(np.mean(right), abs=0.12)
    sure = np.array(stated) > 0.8
    assert sure.sum() > 30
    assert np.mean(np.array(right)[sure]) > 0.85
    assert np.mean(expected) == pytest.approx(np.mean(loss), abs=0.12)


def with_seed_effects(values, effects):
    """Runs of cells by seed, each with what its seed adds to all."""
    return [
        run(value + effects[seed], f"{cell} {seed}", cell=cell, seed=seed)
        for cell, of in enumerate(values)
        for seed, value in enumerate(of)
    ]


def test_what_a_seed_adds_to_all_cells_is_no_chance():
    """The probabilities are those without it, to rounding; left to chance it hides the best."""
    values = np.random.default_rng(2).normal(0.6, 0.01, (4, 3)) + 0.03 * np.arange(4)[:, None]
    plain = probability_of_best(with_seed_effects(values, np.zeros(3)), blocks="seed")
    moved = probability_of_best(with_seed_effects(values, [0.3, -0.2, 0.1]), blocks="seed")
    assert [c.settings for c in moved.candidates] == [{"cell": n} for n in (3, 2, 1, 0)]
    assert [c.probability for c in moved.candidates] == pytest.approx([c.probability for c in plain.candidates])
    assert moved.best.expected_loss == pytest.approx(plain.best.expected_loss)
    assert moved.best.probability > 0.9
    assert probability_of_best(with_seed_effects(values, [0.3, -0.2, 0.1])).best.probability < 0.5


def test_two_cells_with_the_same_seeds_have_the_probability_of_pairs():
    rng = np.random.default_rng(3)
    values = np.stack([rng.normal(0.6, 1, 150), rng.normal(0.5, 1, 150), rng.normal(-30, 1, 150)])
    found = probability_of_best(with_seed_effects(values, rng.normal(0, 20, 150)), blocks="seed")
    left = values - values.mean(axis=0)
    squares = np.sum((left - left.mean(axis=1, keepdims=True)) ** 2)
    ranked = np.sort(values.mean(axis=1))
    t = (ranked[2] - ranked[1]) / np.sqrt(squares / 298 * 2 / 150)
    assert found.best.probability == pytest.approx(stats.t.cdf(t, 298), abs=0.02)


def test_probability_with_shared_seeds_is_right_as_often_as_it_says():
    """120 designs of 6 cells with the same 3 seeds, which scatter three times as much; an error of 0.04."""
    rng = np.random.default_rng(4)
    stated, right = [], []
    for ratio in np.repeat([0.3, 1.0, 3.0], 40):
        true = ratio * rng.normal(size=6)
        drawn = with_seed_effects(true[:, None] + rng.normal(size=(6, 3)), 3 * rng.normal(size=3))
        best = probability_of_best(drawn, draws=500, blocks="seed").best
        stated.append(best.probability)
        right.append(true[best.settings["cell"]] == true.max())
    assert np.mean(stated) == pytest.approx(np.mean(right), abs=0.13)
    assert np.mean(np.array(right)[np.array(stated) > 0.8]) > 0.8


def test_blocks_that_cannot_be_allowed_for_are_told():
    apart = [run(0.5 + n / 10, f"{n}", cell=n // 2, seed=n) for n in range(4)]
    found = probability_of_best(apart, blocks="seed")
    assert found.notes == ("seed is not allowed for: the cells fall into groups that share none",)
    assert found.best.probability == probability_of_best(apart).best.probability
    few = [run(value, f"{n}", cell=n // 2, seed=n % 2) for n, value in enumerate((0.5, 0.6, 0.7))]
    assert "would leave nothing to tell chance from" in probability_of_best(few, blocks="seed").notes[0]
    even = probability_of_best(with_seed_effects([[0.5, 0.5], [0.6, 0.6]], [0.1, 0.2]), blocks="seed")
    assert "would leave nothing to tell chance from" in even.notes[0]
    with pytest.raises(ValueError, match=r"No run has the factor 'sed'; they have cell, seed\. Did you mean 'seed'"):
        probability_of_best(apart, blocks="sed")


def test_cells_that_hardly_differ_are_not_called_sure():
    found = probability_of_best(several({n: [0.5 + 0.001 * n, 0.6, 0.4] for n in range(10)}))
    assert found.best.probability < 0.3
    assert sum(each.probability for each in found.candidates) == pytest.approx(1)
    assert found.best.expected_loss > 0


def test_best_under_a_bound_of_sigma():
    def with_sigma(value, sigma, name, filters):
        logs = {"val_jaccard": [value] * 2, "val_loss": [1.0, 1.0 + sigma * np.sqrt(2)]}
        return summarise(logs, name, {"filters": filters}, window=2)

    runs = [with_sigma(0.7 + n / 100, 0.2, f"wild {n}", 8) for n in range(2)]
    runs += [with_sigma(0.6 + n / 100, 0.01, f"calm {n}", 16) for n in range(2)]
    runs += [with_sigma(0.5 + n / 100, 0.02, f"low {n}", 32) for n in range(2)]
    assert probability_of_best(runs).best.name == "wild 0"
    found = probability_of_best(runs, max_sigma=0.05)
    assert [each.name for each in found.candidates] == ["calm 0", "low 0"]
    assert found.best.stability == pytest.approx(0.01)
    assert found.excluded == dict.fromkeys(["wild 0", "wild 1"], "its settings' mean σ 0.2 is not below 0.05")
    none = probability_of_best(runs, max_sigma=0.001)
    assert (none.best, none.reason) == (None, "no settings have what was asked for: see why each was left out")
    bare = probability_of_best([run(0.5, "a", filters=8)], max_sigma=0.1)
    assert bare.excluded == {"a": "it has no σ"}
    with pytest.raises(ValueError, match=r"`max_sigma` must be a finite number above 0, or None for any"):
        probability_of_best(runs, max_sigma=0)


def test_less_is_better_of_seconds():
    runs = [
        summarise({"val_jaccard": [0.5], "seconds": [t]}, f"{filters} {t}", {"filters": filters})
        for filters, times in ((8, (10.0, 11.0)), (16, (20.0, 22.0)))
        for t in times
    ]
    best = probability_of_best(runs, response="seconds").best
    assert (best.settings, best.mean) == ({"filters": 8}, 10.5)
    assert best.probability > 0.9
    assert best.low < 10.5 < best.high


def test_what_cannot_be_told_says_why():
    once = probability_of_best([run(0.5, "a", filters=8), run(0.6, "b", filters=16)])
    assert (once.best.name, np.isnan(once.best.probability)) == ("b", True)
    assert once.reason == "no settings were run with a second seed, so that chance can't be told from them"
    assert "undetermined: no settings were run with a second seed" in str(once)
    same = probability_of_best(several({"a": [0.5, 0.5], "b": [0.6, 0.6]}))
    assert same.reason == "repeated runs do not differ at all, which tells nothing"
    assert probability_of_best(several({"a": [0.5, 0.6]})).reason == "there is nothing to compare it with"
    partly = probability_of_best(several({"a": [0.5, 0.6], "b": [0.9]}))
    assert partly.determined
    assert partly.notes == ("1 cells have one run; their scatter is taken from the others",)
    two = [run(0.5 + n / 10, f"{n}", filters=8, depth=n, seed=n) for n in range(2)]
    assert len(probability_of_best(two, factors="filters").candidates) == 1
