"""How many times better a value became."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from unetdyn.analysis.result import Determinable, interval, number


@dataclass(frozen=True)
class Improvement(Determinable):
    """What `improvement_factor` found.

    Attributes:
        factor: new / old; NaN where not defined.
        low: Lower end of its 95 % interval; NaN with fewer than two values on either side.
        high: Upper end.
        new: The geometric mean of the new values.
        old: That of the old ones.
        reason: In words, why the factor or its interval is not defined; empty where both are.
    """

    factor: float
    low: float
    high: float
    new: float
    old: float
    reason: str = ""

    def _rows(self) -> list[tuple[str, str]]:
        return [
            ("improvement factor", number(self.factor)),
            ("new over old", f"{number(self.new)} / {number(self.old)}"),
            ("95 % interval", self._if_determined(interval(self.low, self.high))),
        ]


def improvement_factor(new: ArrayLike, old: ArrayLike) -> Improvement:
    """How many times better: new / old.

    With several values a side (runs that differ in their seed) it is the ratio of the geometric means, with Welch's t
    interval of the difference of the logarithms.

    Args:
        new: A positive number, or `(runs,)` of them.
        old: The same for what it is compared with.

    Returns:
        An `Improvement`. One value a side has a factor and no interval: whether another seed would do the same can't
        be told from it. A value that is 0, negative or not finite leaves the factor not defined.

    Raises:
        ValueError: If a side holds no value.

    Example:
        >>> print(improvement_factor([0.74, 0.76, 0.75], [0.30, 0.28, 0.33]))
        improvement factor  2.48
        new over old        0.75 / 0.303
        95 % interval       2.03 to 3.02

    Reference:
        Welch, The generalization of "Student's" problem when several different population variances are involved
        (1947).
    """
    sides = []
    for name, values in (("new", new), ("old", old)):
        array = np.atleast_1d(np.asarray(values, dtype=np.float64)).ravel()
        if not array.size:
            raise ValueError(f"`{name}` must hold at least one number. Received: {name}={values!r}.")
        sides.append(array)
    nan = float("nan")
    one, two = sides
    if not all(np.isfinite(side).all() and (side > 0).all() for side in sides):
        why = "a ratio needs values above 0 on both sides"
        return Improvement(nan, nan, nan, float(one.mean()), float(two.mean()), why)
    one, two = np.log(one), np.log(two)
    mean_new, mean_old = float(np.exp(one.mean())), float(np.exp(two.mean()))
    factor = mean_new / mean_old
    if min(len(one), len(two)) < 2:
        why = "one run can't tell what another seed would do"
        return Improvement(factor, nan, nan, mean_new, mean_old, why)
    if np.ptp(one) == 0 and np.ptp(two) == 0:
        return Improvement(factor, nan, nan, mean_new, mean_old, "the repeated values are all the same")
    low, high = stats.ttest_ind(one, two, equal_var=False).confidence_interval(0.95)
    return Improvement(factor, float(np.exp(low)), float(np.exp(high)), mean_new, mean_old)
