"""Regular fractions against published generators and the arithmetic of their columns."""

from itertools import combinations

import numpy as np
import pytest

from unetdyn.sweeps.designs.regular_fraction import by_resolution, fraction

# Factors, basic factors → resolution: the table of Box, Hunter and Hunter (1978), p. 410.
RESOLUTIONS = {
    (3, 2): 3, (4, 3): 4, (5, 3): 3, (6, 3): 3, (7, 3): 3,
    (5, 4): 5, (6, 4): 4, (7, 4): 4, (8, 4): 4, (9, 4): 3,
    (6, 5): 6, (7, 5): 4, (8, 5): 4, (9, 5): 4,
    (7, 6): 7, (8, 6): 5, (9, 6): 4,
}  # fmt: skip


def signs(found):
    return 1 - 2 * np.array(found.levels())


@pytest.mark.parametrize(("factors", "basic"), RESOLUTIONS)
def test_fraction_has_the_published_resolution(factors, basic):
    assert fraction(factors, basic).resolution == RESOLUTIONS[factors, basic]


def test_fraction_has_the_published_generators():
    assert fraction(4, 3).generators == ["D = ABC"]
    assert fraction(5, 3).generators == ["D = AB", "E = AC"]
    assert fraction(5, 4).generators == ["E = ABCD"]
    assert fraction(7, 3).generators == ["D = AB", "E = AC", "F = BC", "G = ABC"]


def test_fraction_of_7_factors_in_32_runs_has_least_aberration():
    # 2^(7-2): one word of four letters (Fries and Hunter, 1980), where other choices of resolution IV have three.
    assert sorted(map(len, fraction(7, 5).words)) == [4, 5, 5]


@pytest.mark.parametrize(("factors", "basic"), [(3, 3), *RESOLUTIONS])
def test_levels_are_those_of_the_words(factors, basic):
    found = fraction(factors, basic)
    columns = signs(found)
    assert columns.shape == (2**basic, factors)
    assert len({tuple(row) for row in columns}) == 2**basic
    assert np.array_equal(columns.T @ columns, 2**basic * np.eye(factors))  # main effects are orthogonal, and even
    for word in found.words:
        assert (columns[:, list(word)].prod(axis=1) == 1).all()
    assert len(found.words) == 2 ** (factors - basic) - 1


@pytest.mark.parametrize(("factors", "basic"), [(4, 3), (5, 3), (5, 4), (7, 3), (7, 4)])
def test_aliases_are_the_effects_with_the_same_column(factors, basic):
    found = fraction(factors, basic)
    columns = signs(found)
    effects = {
        "".join("ABCDEFGHI"[each] for each in chosen): columns[:, list(chosen)].prod(axis=1)
        for size in (1, 2)
        for chosen in combinations(range(factors), size)
    }
    same = {frozenset((one, two)) for one, two in combinations(effects, 2) if (effects[one] == effects[two]).all()}
    assert {frozenset(pair) for each in found.aliases() for pair in combinations(each, 2)} == same


@pytest.mark.parametrize(
    ("factors", "resolution", "runs"), [(4, 4, 8), (5, 3, 8), (5, 4, 16), (6, 4, 16), (8, 4, 16), (3, 4, 8), (8, 5, 64)]
)
def test_by_resolution_is_the_smallest(factors, resolution, runs):
    assert len(by_resolution(factors, resolution).levels()) == runs
