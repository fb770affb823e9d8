"""Runs as a linear model of their settings: categories of factors, their interactions, and blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.comparison.design import dummies, fit, levels, responses
from unetdyn.analysis.comparison.summary import RunSummary

Term = tuple[str, ...]


@dataclass(frozen=True)
class LinearModel:
    """What least squares on categories needs, and what it gives.

    Attributes:
        runs: Each with every factor and block, and the response.
        y: `(runs,)` values of the response.
        terms: Of the factors, and of their interactions: each a tuple of names.
        blocks: Terms of one name that are always in the model.
        indices: Factor or block → `(runs,)` index of each run's level.
        levels: The same → its levels.
        columns: Term → `(runs, columns)` its dummies, products of them for interactions.
    """

    runs: tuple[RunSummary, ...]
    y: NDArray[np.float64]
    terms: tuple[Term, ...]
    blocks: tuple[Term, ...]
    indices: dict[str, NDArray[np.int64]]
    levels: dict[str, list[object]]
    columns: dict[Term, NDArray[np.float64]]

    @classmethod
    def of(
        cls, runs: Sequence[RunSummary], factors: Sequence[str], response: str, order: int, blocks: Sequence[str] = ()
    ) -> "LinearModel":
        """From runs that have all of it.

        Args:
            runs: Those that `usable` kept.
            factors: Names of those that are asked about.
            response: See `anova`.
            order: How many factors an interaction may have at most.
            blocks: Names of those that are in the model without being asked about.

        Example:
            >>> from unetdyn.analysis.comparison.summary import summarise
            >>> values = {8: [0.1, 0.3], 16: [0.6, 0.8]}
            >>> runs = [summarise({"val_jaccard": [v]}, factors={"batch_size": b}) for b in values for v in values[b]]
            >>> model = LinearModel.of(runs, ["batch_size"], "performance", 1)
            >>> model.residuals.round(3).tolist(), model.residual_df
            ([-0.1, 0.1, -0.1, 0.1], 2)
        """
        found = {name: levels(run.factors[name] for run in runs) for name in (*factors, *blocks)}
        indices = {name: index for name, (index, _) in found.items()}
        terms = tuple(term for size in range(1, order + 1) for term in combinations(factors, size))
        return cls(
            runs=tuple(runs),
            y=responses(runs, response),
            terms=terms,
            blocks=tuple((name,) for name in blocks),
            indices=indices,
            levels={name: different for name, (_, different) in found.items()},
            columns={term: _columns(term, indices) for term in (*terms, *((name,) for name in blocks))},
        )

    def design(self, terms: Sequence[Term]) -> NDArray[np.float64]:
        """`(runs, columns)` of the mean and these terms."""
        return np.hstack([np.ones((len(self.y), 1)), *(self.columns[term] for term in terms)])

    def without(self, term: Term) -> list[Term]:
        """The terms that don't contain it: those that type II sums of squares are adjusted for."""
        return [other for other in (*self.blocks, *self.terms) if not set(term) <= set(other)]

    @cached_property
    def whole(self) -> NDArray[np.float64]:
        """The design with every term."""
        return self.design([*self.blocks, *self.terms])

    @cached_property
    def _rank_and_squares(self) -> tuple[int, float]:
        return fit(self.whole, self.y) if len(self.y) else (0, 0.0)

    @property
    def residual_df(self) -> int:
        """Degrees of freedom that the terms leave."""
        return len(self.y) - self._rank_and_squares[0]

    @property
    def residual_squares(self) -> float:
        """The sum of squares that they leave; exactly 0 where that is rounding."""
        return self._rank_and_squares[1]

    @property
    def total_squares(self) -> float:
        """Around the mean."""
        return float(np.sum((self.y - self.y.mean()) ** 2)) if len(self.y) else 0.0

    @cached_property
    def inverse(self) -> NDArray[np.float64]:
        """`(columns, runs)` pseudo-inverse of the whole design."""
        return np.asarray(np.linalg.pinv(self.whole), dtype=np.float64)

    @cached_property
    def fitted(self) -> NDArray[np.float64]:
        """`(runs,)` what the model says of each."""
        return self.whole @ (self.inverse @ self.y)

    @property
    def residuals(self) -> NDArray[np.float64]:
        """`(runs,)` what it does not say."""
        return self.y - self.fitted

    @property
    def leverage(self) -> NDArray[np.float64]:
        """`(runs,)` from 0 to 1: how much of its own fitted value each run decides."""
        return np.einsum("ij,ji->i", self.whole, self.inverse)

    @property
    def untestable(self) -> str:
        """Why there is no scatter to test against; empty where there is."""
        if len(self.y) == 0:
            return "there are no runs to analyse"
        if self.residual_df == 0:
            return "no run is left over to measure the scatter: repeat settings with other seeds"
        return "runs with the same settings do not differ at all" if self.residual_squares == 0 else ""


def check_order(order: int, factors: Sequence[str]) -> None:
    """Refuse an order of interactions that there can't be.

    >>> check_order(2, ["filters"])
    Traceback (most recent call last):
    ValueError: `order` must be from 1 to the number of factors, of which there must be one at least. Received: \
order=2, factors=['filters'].
    """
    if not factors or not 1 <= order <= len(factors):
        raise ValueError(
            "`order` must be from 1 to the number of factors, of which there must be one at least. "
            f"Received: order={order!r}, factors={factors!r}."
        )


def check_blocks(blocks: Sequence[str], factors: Sequence[str]) -> None:
    """Refuse a block that is asked about as well.

    >>> check_blocks(["seed"], ["seed", "filters"])
    Traceback (most recent call last):
    ValueError: `blocks` must be other than `factors`: a block is allowed for, and not tested. Received: 'seed' in both.
    """
    for name in blocks:
        if name in factors:
            raise ValueError(
                "`blocks` must be other than `factors`: a block is allowed for, and not tested. "
                f"Received: {name!r} in both."
            )


def _columns(term: Term, indices: dict[str, NDArray[np.int64]]) -> NDArray[np.float64]:
    """The products of its factors' dummies."""
    product = dummies(indices[term[0]])
    for factor in term[1:]:
        product = (product[:, :, None] * dummies(indices[factor])[:, None, :]).reshape(len(product), -1)
    return product
