"""The decision matrix against NumPy and SciPy."""

import numpy as np
import pytest
from scipy import stats

from planted_designs import run
from unetdyn.analysis import decision_matrix, recommend, summarise

VALUES = {
    ("UNet", 8): [0.60, 0.63, 0.66],
    ("UNet", 16): [0.61, 0.62, 0.66],
    ("Attention", 8): [0.62, 0.66, 0.61],
    ("Attention", 16): [0.64, 0.61, 0.68],
    ("Residual", 8): [0.80, 0.82, 0.81],
    ("Residual", 16): [0.78, 0.83, 0.82],
}


def made(values=VALUES, **more):
    parameters = {"UNet": 31, "Attention": 37, "Residual": 39}
    return [
        summarise(
            {"val_jaccard": [0.1, j, j - 0.1], "val_loss": [1.0, 0.5, 0.5 + j], "seconds": [1.0, 1.0, j]},
            f"{name} {batch} {seed}",
            {"architecture": name, "batch_size": batch, "seed": seed, **more},
            window=3,
            parameters=parameters[name],
        )
        for (name, batch), several in values.items()
        for seed, j in enumerate(several)
    ]


def test_means_and_intervals_of_each_level_by_their_formula():
    found = decision_matrix(made()).criteria["performance"]
    for level in ("UNet", "Attention", "Residual"):
        cells = [np.array(VALUES[level, batch]) for batch in (8, 16)]
        parts = [cell.var(ddof=1) / 3 / 4 for cell in cells]
        df = sum(parts) ** 2 / sum(part**2 / 2 for part in parts)
        half = stats.t.ppf(0.975, df) * np.sqrt(sum(parts))
        mean = np.mean([cell.mean() for cell in cells])
        standing = found[level]
        assert (standing.mean, standing.low, standing.high) == pytest.approx((mean, mean - half, mean + half))
        assert found[level].runs == 6


def test_one_cell_a_level_has_students_interval():
    values = {"a": (0.1, 0.4, 0.2), "b": (0.5, 0.3, 0.4)}
    runs = [run(v, f"{a} {n}", architecture=a) for a, of in values.items() for n, v in enumerate(of)]
    standing = decision_matrix(runs).criteria["performance"]["a"]
    expected = stats.t.interval(0.95, 2, np.mean([0.1, 0.4, 0.2]), stats.sem([0.1, 0.4, 0.2]))
    assert (standing.low, standing.high) == pytest.approx(expected)


def test_verdicts_follow_the_intervals_of_the_differences():
    found = decision_matrix(made())
    assert {level: s.verdict for level, s in found.criteria["performance"].items()} == {
        "UNet": "behind",
        "Attention": "behind",
        "Residual": "best",
    }
    without = made({key: values for key, values in VALUES.items() if key[0] != "Residual"})
    verdicts = {level: s.verdict for level, s in decision_matrix(without).criteria["performance"].items()}
    assert verdicts == {"UNet": "can't be told from the best", "Attention": "best"}
    assert found.criteria["σ of the loss"]["Residual"].verdict == "behind"  # where less is better
    assert found.criteria["epochs to its best"]["UNet"].mean == 2.0
    assert {level: s.verdict for level, s in found.criteria["parameters"].items()} == {
        "UNet": "best",
        "Attention": "behind",
        "Residual": "behind",
    }
    assert "peak memory" not in found.criteria


def test_choices_are_those_of_recommend():
    runs = made()
    found = decision_matrix(runs)
    for priority, choice in found.choices.items():
        assert str(choice) == str(recommend(runs, priority))
    assert found.chosen("performance") == "Residual"
    assert "for performance" in str(found)
    assert found.choices.keys() == {"performance", "stability", "balanced", "memory", "speed", "sensitivity"}
    assert decision_matrix(runs, max_sigma=1e-9).chosen("performance") is None


def test_the_studies_matrix_and_what_is_wrong_in_it_stand_below():
    shown = str(decision_matrix(made()))
    assert "Decision matrix [the studies: training dynamics, architecture selection strategy]" in shown
    assert "by their own combined score Standard U-Net is first (0.7667)" in shown
    assert "<table>" in decision_matrix(made())._repr_html_()


def test_levels_are_compared_over_the_settings_that_all_were_run_with():
    fewer = made({key: values for key, values in VALUES.items() if key != ("Residual", 16)})
    found = decision_matrix(fewer)
    assert found.criteria["performance"]["UNet"].mean == pytest.approx(np.mean(VALUES["UNet", 8]))
    assert "performance: 6 runs have settings that not every level was run with" in found.notes
    apart = {key: values for key, values in VALUES.items() if (key[0] == "UNet") == (key[1] == 8)}
    standing = decision_matrix(made(apart)).criteria["performance"]["UNet"]
    assert standing.reason == "no settings were run with every level"


def test_without_repeated_seeds_there_are_means_and_no_verdicts():
    found = decision_matrix(made({key: values[:1] for key, values in VALUES.items()}))
    standing = found.criteria["performance"]["UNet"]
    assert (standing.mean, standing.verdict) == (pytest.approx(0.605), "")
    assert np.isnan(standing.low)
    assert "repeat them with other seeds" in standing.reason
    assert "[a level has settings with one run only" in str(found)
    alone = decision_matrix(made({key: values for key, values in VALUES.items() if key[0] == "UNet"}))
    assert alone.criteria["performance"]["UNet"].reason == "there is nothing to compare it with"


def test_decision_matrix_refuses_what_no_run_has():
    with pytest.raises(ValueError, match=r"No run has the factor 'architectur'.*Did you mean 'architecture'"):
        decision_matrix(made(), "architectur")
    with pytest.raises(ValueError, match="No run has the factor 'depth'"):
        decision_matrix(made(), others="depth")
    assert decision_matrix([]).choices == {}


def test_memory_is_compared_as_it_is_and_seconds_without_scatter_are_not_judged():
    runs = [
        summarise({"val_jaccard": [0.5 + n / 10], "seconds": [0.7]}, f"{a} {n}", {"architecture": a}, memory=memory)
        for a, memory in (("a", 5e9), ("b", 6e9))
        for n in range(3)
    ]
    found = decision_matrix(runs).criteria
    assert {level: standing.verdict for level, standing in found["peak memory"].items()} == {"a": "best", "b": "behind"}
    assert {s.reason for s in found["seconds"].values()} == {"repeated runs do not differ at all"}
    assert {s.verdict for s in found["seconds"].values()} == {""}
    assert np.isnan(found["seconds"]["b"].low)
