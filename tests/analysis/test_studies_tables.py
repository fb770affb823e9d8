"""What the studies' tables hold is arithmetic of itself, where it can be, and what is wrong in them is said."""

import numpy as np
import pytest

from unetdyn.analysis import (
    STUDIES_TABLES,
    anova_power,
    jaccard_sensitivity,
    min_max_score,
    stability_class,
    update_variance_ratio,
)


def column(table, name):
    return STUDIES_TABLES[table].column(name)


def ratios(table, above, below):
    top, bottom = column(table, above), column(table, below)
    return {name: top[name] / bottom[name] for name in top}


def said(table):
    return " ".join(note.text for note in STUDIES_TABLES[table].notes)


@pytest.mark.parametrize("name", STUDIES_TABLES)
def test_each_table_is_whole_and_has_its_source(name):
    table = STUDIES_TABLES[name]
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert table.source.startswith("the studies: ")
    first = [row[0] for row in table.rows]
    assert len(set(first)) == len(first)
    assert {row for note in table.notes for row in note.rows} <= set(first)


def test_factors_before_and_after_are_quotients_of_their_table():
    assert column("before and after", "times") == pytest.approx(
        ratios("before and after", "mended", "broken"), abs=0.05
    )
    stability = ratios("stability before and after", "broken", "mended, about")
    assert column("stability before and after", "times") == pytest.approx(stability, abs=0.1)
    assert "4 to 27 times" in said("stability before and after")
    assert column("data before and after", "times") == pytest.approx(
        ratios("data before and after", "mended", "broken"), abs=0.051
    )


def test_statistical_power_goes_with_the_root_of_the_samples():
    power = column("data before and after", "statistical power, times")["validation samples"]
    assert power == pytest.approx(np.sqrt(200 / 14), abs=0.005)


def test_collapse_and_recovery_are_those_of_the_jaccards():
    jaccards = np.array(list(column("boundary flips", "validation Jaccard").values()))
    times = jaccards[1:] / jaccards[:-1]
    assert column("boundary flips", "said of it") == {"2": None, "3": "93 % collapse", "4": "3,985 % recovery"}
    assert round(100 * (1 - times[0])) == 93
    assert f"{times[1]:.2f} times, which is a rise by {round(100 * (times[1] - 1)):,} %" in said("boundary flips")


def test_threshold_sensitivity_is_that_of_the_pixels():
    of, change = column("threshold sensitivity", "ten of"), column("threshold sensitivity", "change in %")
    for metric in ("Jaccard", "accuracy"):
        assert change[metric] == pytest.approx(1000 / of[metric], abs=5e-4)
    assert f"65536/500 = {jaccard_sensitivity(500, 65_536).ratio:.2f}" in said("threshold sensitivity")
    assert f"ten of 65536 are {1000 / 65_536:.5f} %" in said("threshold sensitivity")
    assert round(2.0 / 0.015) == 133  # where their other number comes from


def test_update_variance_is_that_of_the_formula():
    found = update_variance_ratio(1e-2, 1e-3, 8, 16)
    expected = {"learning rate": found.from_lr, "batch size": found.from_batch_size, "both": found.total}
    assert column("update variance", "times smaller") == pytest.approx(expected)


def test_scores_named_in_the_guide_are_those_of_the_optimal_configurations():
    jaccards, sigmas = (column("optimal configurations", name) for name in ("validation Jaccard", "σ"))
    scores = dict(zip(jaccards, min_max_score(list(jaccards.values()), list(sigmas.values())), strict=True))
    ordered = sorted(scores, key=lambda name: -scores[name])
    places = [said("selection guide").index(f"{scores[name]:.4f}") for name in ordered]
    assert places == sorted(places)
    assert ordered == ["Standard U-Net", "Attention ResU-Net", "Attention U-Net"]


@pytest.mark.parametrize(
    ("sigma", "label", "table"),
    [
        (0.044, "Good", "selection guide"),
        (1.348, "Very poor", "selection guide"),
        (0.0819, "Moderate", "convergence, second experiment"),
        (0.3186, "Poor", "convergence, second experiment"),
        (0.02, "Good", "stability before and after"),
    ],
)
def test_classes_that_notes_give_are_those_of_the_studies(sigma, label, table):
    assert stability_class(sigma) == label
    assert label.lower() in said(table)


def test_power_that_the_note_on_sensitivity_gives():
    powers = [anova_power(0.40, runs=9, df=df, residual_df=8 - df) for df in (3, 2)]
    assert powers == pytest.approx([0.1, 0.1], abs=0.03)
    assert "about one of ten" in said("sensitivity")
