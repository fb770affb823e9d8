"""What `benchmarks/reproduction.py` computes beside training: the parts of the data, the table and its claims."""

import itertools
import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from scripts_by_path import benchmarks_importable
from unetdyn.data import Stack


@pytest.fixture(scope="module")
def reproduction():
    with benchmarks_importable():
        from reproduction_cases import claims, combinations, sections, table, training
    return SimpleNamespace(claims=claims, combinations=combinations, sections=sections, table=table, training=training)


JACCARDS = ("object", "two_class", "object_best", "test_object", "test_two_class")


def row(**changed):
    """A run as `result.json` has it."""
    plain = {"architecture": "UNet", "recipe": "mended", "split": "random", "seed": 0, "epochs": 20, "kept_epoch": 9}
    plain |= {"object": 0.8, "two_class": 0.9, "soft": 0.5, "object_best": 0.8, "soft_best": 0.5, "object_lowest": 0.7}
    plain["object_share"] = 0.9
    plain |= {"sigma": 0.002, "sigma_class": "Excellent", "test_object": 0.7, "test_two_class": 0.85, "test_soft": 0.4}
    plain |= {"diagnosis": {"level": "good", "codes": []}, "settings": {"tile": 256}}
    return plain | changed


def test_sections_of_the_parts_lie_apart(reproduction):
    plan = reproduction.sections.plan(20, few=False)
    parts = (plan.developed, plan.train, plan.validation, plan.test)
    assert parts == (range(16), range(13), range(14, 16), range(17, 20))
    few = reproduction.sections.plan(20, few=True)
    assert (few.developed, few.train, few.validation, few.test) == (range(12), range(10), range(11, 12), range(17, 20))


@pytest.mark.parametrize("sections", range(10, 60))
@pytest.mark.parametrize("few", [False, True])
def test_some_section_is_in_every_part_and_none_next_to_another_part(reproduction, sections, few):
    plan = reproduction.sections.plan(sections, few)
    ordered = (plan.train, plan.validation, plan.test)
    assert all(ordered)
    assert plan.train.start == 0
    assert plan.test.stop == sections
    for before, after in itertools.pairwise(ordered):
        assert after.start - before.stop >= 1
    assert plan.developed.stop < plan.test.start


def test_too_few_sections_are_refused(reproduction):
    with pytest.raises(ValueError, match=r"must have at least 10 sections\. Received: 9"):
        reproduction.sections.plan(9, few=False)


def stack():
    """Twenty sections of 16×16, no two alike."""
    images = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 1), dtype=np.uint8)
    return Stack(images, images % 2, tuple(map(str, range(20))))


def test_the_few_tiles_are_the_studies_144_and_an_honest_split_shares_no_section(reproduction):
    parts = {
        (few, honest): reproduction.sections.parts(stack(), few, honest, size=4, turns=8, seed=0)
        for few in (True, False)
        for honest in (True, False)
    }
    counts = {which: (len(each.train.images), len(each.validation.images)) for which, each in parts.items()}
    assert counts == {
        (True, False): (130, 14),
        (True, True): (120, 12),
        (False, False): (230 * 8, 26),
        (False, True): (13 * 16 * 8, 32),
    }
    assert all((each.shared_sections == 0) == honest for (_, honest), each in parts.items())
    assert all(len(each.test.images) == 48 for each in parts.values())


def test_a_cache_stands_in_for_the_folder(reproduction, tmp_path):
    for kind in ("images", "masks"):
        (tmp_path / "vnc" / kind).mkdir(parents=True)
        for name in range(3):
            grey = np.full((4, 4), 40 * name if kind == "images" else 255 * (name > 1), np.uint8)
            Image.fromarray(grey).save(tmp_path / "vnc" / kind / f"{name}.png")
    load, cache = reproduction.sections.load, tmp_path / "new" / "cache.npz"
    first = load(tmp_path / "vnc", cache, factor=2)
    again = load(None, cache, factor=2)
    for name, sections in (first, again):
        assert (name, sections.names) == ("vnc", ("0", "1", "2"))
        assert sections.images.shape == (3, 2, 2, 1)
        assert sections.images[:, 0, 0, 0].tolist() == [0, 40, 80]
        assert sections.masks[:, 1, 1, 0].tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match="holds sections 2 times smaller, not 4 times"):
        load(None, cache, factor=4)


def test_what_is_measured_is_of_the_kept_epoch_and_the_last_ten(reproduction):
    object_ = [0.0, 0.1, 0.8, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.4, 0.6]
    history = {"val_jaccard": object_, "val_loss": [9.0, 9.0, *range(10)]}
    history |= {"val_two_class_jaccard": [0.5] * 12, "val_soft_jaccard": np.linspace(0, 0.11, 12).tolist()}
    measured = reproduction.training.measured(history, kept=11)
    assert (measured["epochs"], measured["kept_epoch"]) == (12, 12)
    assert (measured["object"], measured["object_best"], measured["object_lowest"]) == (0.6, 0.8, 0.4)
    assert (measured["two_class"], measured["soft"]) == (0.5, pytest.approx(0.11))
    assert measured["object_share"] == 0.5
    assert measured["sigma"] == pytest.approx(np.std(range(10), ddof=1))
    assert measured["sigma_class"] == "Very poor"


@pytest.mark.parametrize(("values", "share"), [([0.1, 0.2, 0.4], 1.0), ([0.0, 0.0], 1.0), ([0.8] * 11 + [0.2], 0.25)])
def test_a_share_of_the_best_so_far_tells_a_fall_from_a_rise(reproduction, values, share):
    assert reproduction.training.lowest_share(values) == pytest.approx(share)


def test_random_tenth_takes_each_tile_once_and_others_with_another_seed(reproduction):
    train, held_out = reproduction.sections.random_tenth(144, seed=0)
    assert sorted([*train, *held_out]) == list(range(144))
    assert len(held_out) == 14
    assert not np.array_equal(held_out, reproduction.sections.random_tenth(144, seed=1)[1])


def test_eight_turns_are_the_symmetries_of_the_square(reproduction):
    square = np.array([[1, 2], [3, 4]]).reshape(1, 2, 2, 1)
    turned = reproduction.sections.turned(square, 8)
    corners = {tuple(one.ravel()) for one in turned}
    assert np.array_equal(turned[:1], square)
    # Clockwise around the square, each symmetry begins at one of four corners and goes round one of two ways.
    rings = [(1, 2, 4, 3), (1, 3, 4, 2)]
    around = [ring[k:] + ring[:k] for ring in rings for k in range(4)]
    assert corners == {(a, b, d, c) for a, b, c, d in around}


def test_combinations_are_twelve_the_most_telling_first(reproduction):
    every = reproduction.combinations.combinations()
    assert len({one.id for one in every}) == 12
    assert [one.id for one in every[:4]] == [
        "UNet-broken-random-0",
        "AttentionUNet-broken-random-0",
        "AttentionResUNet-broken-random-0",
        "UNet-mended-random-0",
    ]
    only = reproduction.combinations.combinations(["UNet", "AttentionUNet", "mended", "honest"], seeds=[0, 1])
    assert [one.id for one in only] == [
        f"{architecture}-mended-honest-{seed}" for seed in (0, 1) for architecture in ("UNet", "AttentionUNet")
    ]


def test_an_unknown_word_is_refused(reproduction):
    with pytest.raises(ValueError, match=r"`only` must name some of UNet, .*, honest\. Received: 'Unet'"):
        reproduction.combinations.combinations(["Unet"])


def test_rows_are_read_in_the_tables_order_without_unfinished_runs(reproduction, tmp_path):
    for folder, each in {"a": row(recipe="mended"), "b": row(recipe="broken"), ".c": row(recipe="broken")}.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "result.json").write_text(json.dumps(each))
    assert [each["recipe"] for each in reproduction.table.read_rows(tmp_path)] == ["broken", "mended"]


def test_runs_of_different_settings_make_no_table(reproduction):
    with pytest.raises(ValueError, match="different settings"):
        reproduction.table.as_json([row(), row(settings={"tile": 64})], {})


def test_text_has_a_line_a_run_and_a_dash_for_what_is_not_there(reproduction):
    text = reproduction.table.as_text(reproduction.table.as_json([row(), row(sigma=None, sigma_class=None)], {}))
    lines = text.splitlines()
    assert lines[1].split()[:6] == ["UNet", "mended", "random", "0.800", "0.900", "0.500"]
    assert "0.0020 Excellent" in lines[1]
    assert "Excellent" not in lines[2]
    assert "–" in lines[2]


def runs(broken, mended, **of_mended):
    """A broken and a mended run of each architecture, random and honest."""
    names = ("UNet", "AttentionUNet", "AttentionResUNet")
    return [
        row(architecture=name, recipe=recipe, split=split, **values, **(of_mended if recipe == "mended" else {}))
        for recipe, each in (("broken", broken), ("mended", mended))
        for split in ("random", "honest")
        for name, values in zip(names, each, strict=True)
    ]


def test_claims_hold_of_their_own_figures(reproduction):
    broken = [
        {"soft_best": soft, "object_best": soft, "sigma": sigma, "sigma_class": "Poor"}
        for soft, sigma in zip((0.076, 0.09, 0.093), (1.351, 0.082, 0.319), strict=True)
    ]
    mended = [
        dict.fromkeys(JACCARDS, value) | {"sigma": sigma, "sigma_class": "Good"}
        for value, sigma in zip((0.928, 0.929, 0.937), (0.05, 0.02, 0.04), strict=True)
    ]
    found = reproduction.claims.claims(runs(broken, mended))
    assert [claim.verdict for claim in found] == ["holds"] * 9


def test_claims_fail_where_nothing_is_as_they_say(reproduction):
    broken = [{"soft_best": 0.3, "object_best": 0.87, "object_share": 0.0, "sigma": 0.004}] * 3
    mended = [{"object": 0.8, "two_class": 0.8, "sigma": 0.003, "test_object": 0.7, "test_two_class": 0.8}] * 3
    found = reproduction.claims.claims(runs(broken, mended))
    assert [claim.verdict for claim in found] == ["does not hold"] * 9
    assert "of 12 runs that σ calls Excellent or Good, 6 fell below half" in found[7].ours


def test_the_reading_that_is_as_theirs_is_named(reproduction):
    mended = [{"object": 0.85, "two_class": 0.93, "test_object": 0.7, "test_two_class": 0.83}] * 3
    claim = next(each for each in reproduction.claims.claims(runs([{}] * 3, mended)) if "mended runs" in each.theirs)
    assert claim.verdict == "holds in part"
    assert claim.ours.endswith("Within 0.03 of theirs: both classes, random split and both classes, honest split")


def test_claims_without_runs_are_not_measured(reproduction):
    assert {claim.verdict for claim in reproduction.claims.claims([])} == {"not measured"}


def test_seeds_are_averaged_and_missing_values_left_out(reproduction):
    rows = [row(sigma=0.2), row(seed=1, sigma=0.4), row(seed=2, sigma=None)]
    assert reproduction.claims.mean(rows, "sigma", architecture="UNet") == pytest.approx(0.3)
    assert np.isnan(reproduction.claims.mean(rows, "sigma", architecture="AttentionUNet"))
