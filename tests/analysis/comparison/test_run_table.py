"""Runs as a table of factors: cells in the order of their levels, their means, and why a part has nothing to tell."""

import numpy as np
import pytest

from unetdyn.analysis import anova
from unetdyn.analysis.comparison import table_parts as parts
from unetdyn.analysis.comparison.plain import plain
from unetdyn.analysis.comparison.run_table import RunTable, level_in_words, levels_of, short_names
from unetdyn.analysis.comparison.summary import RunSummary, summarise
from unetdyn.analysis.comparison.table_advice import advise
from unetdyn.analysis.comparison.table_statistics import statistics_of
from unetdyn.runs.strict_json import dumps, loads


def run(name, jaccard, sigma=0.01, **factors):
    nan = float("nan")
    return RunSummary(
        name, jaccard, jaccard - 0.01, 3, sigma, nan, 9, 60.0, None, None, factors, "val_jaccard", "val_loss"
    )


def table(values, factor="learning_rate", **kwargs):
    """Level → Jaccards of its seeds."""
    runs = [
        run(f"{level}-{seed}", jaccard, **{factor: level, "seed": seed})
        for level, jaccards in values.items()
        for seed, jaccard in enumerate(jaccards)
    ]
    return RunTable("made up", tuple(runs), {factor: levels_of(values)}, planned=len(runs), **kwargs)


PAIRS = [(0, 0), (0, 1), (1, 0), (1, 1)]
RATES = {0.005: [0.60, 0.61, 0.62], 0.001: [0.70, 0.72, 0.71]}


def test_cells_stand_in_the_order_of_the_levels_with_their_means():
    found = table(RATES)
    assert list(found.cells()) == [(0.001,), (0.005,)]
    one, other = found.cell_means()
    assert (one.name, other.name) == ("learning rate 0.001", "learning rate 0.005")
    assert one.performance == pytest.approx(0.71)
    assert [mean.name for mean in found.cell_means(short=True)] == ["0.001", "0.005"]
    assert found.repeated == 4


def test_the_mean_of_a_cell_is_ill_or_without_a_number_where_one_of_its_runs_is():
    ill = [run("a", 0.5, rate=1), RunSummary(**{**vars(run("b", 0.6, rate=1)), "ill": "it fell"})]
    (mean,) = RunTable("ill", tuple(ill), {"rate": (1,)}).cell_means()
    assert mean.ill == "1 of its 2 runs, such as b: it fell"
    (mean,) = RunTable(
        "none", (run("a", 0.5, rate=1), run("b", 0.6, float("nan"), rate=1)), {"rate": (1,)}
    ).cell_means()
    assert np.isnan(mean.stability)
    assert mean.notes == ("one of its runs has no number there",)


def test_levels_and_names_in_words():
    assert levels_of([True, False, True]) == (True, False)
    assert levels_of([16, 8.5, 16]) == (8.5, 16)
    assert short_names(["a.b", "c.d", "e.b"]) == {"a.b": "a.b", "c.d": "d", "e.b": "e.b"}
    assert level_in_words("model.norm", None) == "model.norm none"


def test_advice_follows_the_response():
    runs = [
        RunSummary(**{**vars(run(f"{rate}-{seed}", best, sigma, rate=rate, seed=seed)), "final": final})
        for rate, best, final, sigma in ((1, 0.70, 0.50, 0.03), (2, 0.69, 0.68, 0.01))
        for seed in range(3)
    ]
    for place, each in enumerate(runs):
        for name in ("performance", "final", "stability"):
            object.__setattr__(each, name, getattr(each, name) + 0.001 * (place % 3))
    found = RunTable("responses", tuple(runs), {"rate": (1, 2)})
    sentences = {response: advise(found, response, None).sentence for response in ("performance", "final", "stability")}
    assert sentences["performance"].startswith("Take rate 1: mean performance 0.701 (n = 3), the best with ")
    assert sentences["final"].startswith("Take rate 2: mean last value 0.681 (n = 3), the best with ")
    assert sentences["stability"].startswith("Take rate 2: mean σ 0.011 (n = 3), the best with ")
    assert "It is 0.02 less than rate 1" in sentences["stability"]


def test_the_probability_is_of_the_cell_that_is_recommended():
    advice = advise(table(RATES), "performance", None)
    assert advice.best.settings == {"learning_rate": 0.001}
    assert advice.best.probability > 0.95


def test_parts_say_why_they_have_nothing_to_tell():
    few = table({0.001: [0.7], 0.005: [0.6]})
    assert parts.front(few) == "It needs 3 runs at least: n = 2."
    found = table({f"kind {place}": [0.5, 0.6] for place in range(9)}, "kind")
    assert parts.matrix(found) == "What is good at what is told of up to 8 levels; kind has 9."
    assert parts.exponent(found) == "σ ∝ α^β needs several learning rates, and these runs have one or none."
    assert parts.slopes(found, "performance").startswith("It needs numbers as learning rate or batch size")
    assert parts.slopes(table(RATES), "performance") == "It needs the setting batch_size, which these runs do not have."
    assert parts.within(found, None) == "No bound of σ was asked for (`--max-sigma`)."


@pytest.mark.parametrize("sound", [0, 2])
def test_runs_without_a_number_are_not_tested(sound):
    nan = float("nan")
    runs = [run(f"{a}{b}", 0.5, 0.1 if place < sound else nan, a=a, b=b) for place, (a, b) in enumerate(PAIRS * 2)]
    found = statistics_of(RunTable("none", tuple(runs), {"a": (0, 1), "b": (0, 1)}), "stability", order=2)
    assert found.anova == found.robust == f"It needs 3 runs with a number for their stability at least: n = {sound}."


def test_interactions_are_asked_about_where_all_pairs_were_run_and_repeated():
    def made(cells, seeds):
        runs = [run(f"{a}{b}{s}", 0.5, a=a, b=b, seed=s) for a, b in cells for s in range(seeds)]
        return RunTable("pairs", tuple(runs), {"a": (0, 1), "b": (0, 1)})

    assert parts.default_order(made(PAIRS, 2)) == 2
    assert parts.default_order(made(PAIRS, 1)) == 1
    assert parts.default_order(made(PAIRS[:3], 2)) == 1


def test_statistics_are_plain_json():
    found = statistics_of(table(RATES), max_sigma=0.05)
    again = loads(dumps(plain(found)))
    assert again["table"]["runs"]["0.001-1"]["performance"] == 0.72
    assert again["anova"]["effects"]["learning_rate"]["p"] == pytest.approx(found.anova.effects["learning_rate"].p)
    assert again["components"] == "It needs several architectures, and another factor that groups the runs."
    assert again["advice"]["recommendation"]["best"]["runs"] == ["0.001-0", "0.001-1", "0.001-2"]


def test_statistics_show_themselves():
    text = str(statistics_of(table(RATES)))
    assert text.startswith("runs ")
    assert "n = 6 runs" in text
    assert summarise({"val_jaccard": [0.5]}).name not in text


def test_seeds_that_cells_share_are_allowed_for():
    assert table({0.001: [0.5, 0.6, 0.7], 0.005: [0.4, 0.5]}).held == ("seed",)
    assert table({0.001: [0.5], 0.005: [0.4]}).held == ()  # one seed tells nothing of seeds
    assert table({0.001: [0.5, 0.6]}).held == ()  # nor does one cell
    runs = [run(str(n), 0.5, learning_rate=rate, seed=n) for n, rate in enumerate([0.001, 0.001, 0.005, 0.005])]
    assert RunTable("own seeds", tuple(runs), {"learning_rate": (0.001, 0.005)}).held == ()


def test_seeds_are_held_beside_blocks_that_they_do_not_stand_for():
    made = [(rate, seed, fold) for rate in (0.001, 0.005) for seed in (0, 1) for fold in (0, 1)]
    runs = tuple(
        run(str(n), 0.5, learning_rate=rate, seed=seed, fold=fold) for n, (rate, seed, fold) in enumerate(made)
    )
    factors, blocks = {"learning_rate": (0.001, 0.005)}, {"fold": (0, 1)}
    assert RunTable("crossed", runs, factors, blocks).held == ("fold", "seed")
    own = tuple(each for each in runs if each.factors["seed"] == each.factors["fold"])
    assert RunTable("a fold a seed", own, factors, blocks).held == ("fold",)


def test_good_and_bad_seeds_hide_no_effect_and_make_none():
    rng = np.random.default_rng(0)

    def p(effect):
        good = rng.normal(0, 0.1, 3)
        values = {level: effect * level + good + rng.normal(0, 0.01, 3) for level in range(4)}
        return parts.of_groups(anova, table(values), "performance", 1).effects["learning_rate"].p

    assert np.mean([p(0.02) < 0.05 for _ in range(60)]) > 0.8
    assert np.mean([p(0.0) < 0.05 for _ in range(200)]) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 200)
