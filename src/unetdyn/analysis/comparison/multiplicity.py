"""Several tests at once: how sure each of them is, among so many."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from unetdyn._checks import check_choice
from unetdyn.analysis.comparison.analysis_of_variance import FACTORS, anova
from unetdyn.analysis.comparison.design import names
from unetdyn.analysis.comparison.many_runs import as_summaries
from unetdyn.analysis.comparison.robust_tests import robust_tests
from unetdyn.analysis.result import Result, number

TESTS = ("F", "Welch", "permutation")

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class AdjustedTests(Result):
    """What `adjusted_tests` found.

    Attributes:
        p: (response, effect) → p of that test alone; NaN where it can't be told.
        adjusted: The same → p adjusted by Holm, to be compared with 0.05 as it is.
        test: Whose p it is.
        count: How many tests they were adjusted for.
    """

    p: dict[tuple[str, str], float]
    adjusted: dict[tuple[str, str], float]
    test: str
    count: int

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("tests", f"{self.count} of {self.test}, adjusted by Holm")]
        return rows + [
            (f"{response}, {effect}", f"p = {number(p)}, adjusted {number(self.adjusted[response, effect])}")
            for (response, effect), p in self.p.items()
        ]


def holm(p: Mapping[Key, float]) -> dict[Key, float]:
    """Values of p, adjusted for their number: rejecting those below α errs in any with a probability of α at most.

    With p₍₁₎ ≤ … ≤ p₍ₘ₎: adjusted p₍ᵢ₎ = max over j ≤ i of min(1, (m − j + 1) · p₍ⱼ₎). It holds however the tests
    depend on each other, and never finds less than Bonferroni's m · p.

    Args:
        p: Name → p, from 0 to 1; NaN for a test that could not be made, which does not count.

    Returns:
        Name → adjusted p, in the order of `p`.

    Raises:
        ValueError: If a p is not from 0 to 1.

    Example:
        >>> {name: round(value, 4) for name, value in holm({"rate": 0.01, "batch": 0.04, "architecture": 0.03}).items()}
        {'rate': 0.03, 'batch': 0.06, 'architecture': 0.06}

    Reference:
        Holm, A simple sequentially rejective multiple test procedure (1979).
    """
    for name, value in p.items():
        if not (math.isnan(value) or 0 <= value <= 1):
            raise ValueError(f"`p` must hold numbers from 0 to 1, or NaN. Received: {name!r}: {value!r}.")
    tested = sorted((name for name in p if not math.isnan(p[name])), key=lambda name: p[name])
    raised = np.minimum(1.0, [(len(tested) - place) * p[name] for place, name in enumerate(tested)])
    found = dict(zip(tested, map(float, np.maximum.accumulate(raised)), strict=True)) if tested else {}
    return {name: found.get(name, math.nan) for name in p}


def adjusted_tests(
    runs: Any,
    factors: str | Sequence[str] = FACTORS,
    responses: str | Sequence[str] = ("performance",),
    order: int = 1,
    blocks: str | Sequence[str] = (),
    test: str = "F",
    permutations: int = 9999,
    seed: int = 0,
) -> AdjustedTests:
    """The tests of every factor on every response that is asked about, adjusted for their number by `holm`.

    Ask for the responses that decide something: each more makes all others harder to see.

    Args:
        runs: See `as_summaries`.
        factors: See `anova`.
        responses: One response of `anova` or several.
        order: See `anova`; interactions count as tests.
        blocks: See `anova`; they are not tested.
        test: `"F"` (default), `"Welch"` or `"permutation"`: see `robust_tests`. Welch's tests no interaction.
        permutations: See `robust_tests`.
        seed: See `robust_tests`.

    Returns:
        An `AdjustedTests`.

    Raises:
        TypeError: As `as_summaries`.
        ValueError: As `anova` and `robust_tests`, or if `test` is unknown.

    Example:
        >>> from unetdyn.analysis.comparison.summary import summarise
        >>> runs = [
        ...     summarise({"val_jaccard": [value]}, factors={"learning_rate": rate, "batch_size": batch})
        ...     for rate, batch, value in [(1e-2, 8, 0.2), (1e-2, 16, 0.3), (1e-3, 8, 0.6), (1e-3, 16, 0.71)]
        ... ]
        >>> print(adjusted_tests(runs, ["learning_rate", "batch_size"]))
        tests                       2 of F, adjusted by Holm
        performance, learning_rate  p = 0.00786, adjusted 0.0157
        performance, batch_size     p = 0.0303, adjusted 0.0303
    """
    check_choice("test", test, TESTS)
    summaries = as_summaries(runs)
    p: dict[tuple[str, str], float] = {}
    for response in names(responses):
        if test == "F":
            effects = anova(summaries, factors, response, order, blocks).effects
            p |= {(response, name): effect.p for name, effect in effects.items()}
        else:
            tests = robust_tests(summaries, factors, response, order, blocks, permutations, seed).tests
            attribute = {"Welch": "welch_p", "permutation": "permutation_p"}[test]
            p |= {(response, name): getattr(found, attribute) for name, found in tests.items()}
    return AdjustedTests(p, holm(p), test, sum(not math.isnan(value) for value in p.values()))
