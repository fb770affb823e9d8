"""Regular fractions of 2^k combinations: some factors are products of others, which confounds effects in a known way.

A factor is a bit mask over the basic factors: these have one bit each, a generated one has those of the factors whose
product it is. A set of factors whose masks cancel is a defining word; the length of the shortest is the resolution.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations, product
from operator import xor
from string import ascii_uppercase

MOST_FACTORS = 9
"""Up to here all choices of generators are looked at within a second."""


@dataclass(frozen=True)
class Fraction:
    """A regular fraction.

    Attributes:
        masks: `(factors,)`, of each factor; those with one bit are basic.
        words: The defining words but the empty one, as numbers of factors from 0, the shortest first.
    """

    masks: tuple[int, ...]
    words: tuple[tuple[int, ...], ...]

    @property
    def basic(self) -> int:
        """How many factors are varied freely."""
        return max(self.masks).bit_length()

    @property
    def resolution(self) -> int | None:
        """Length of the shortest word; None of a full factorial."""
        return min(map(len, self.words), default=None)

    @property
    def generators(self) -> list[str]:
        """As `D = ABC`, factors being A, B, C … in their order."""
        generated = [(number, mask) for number, mask in enumerate(self.masks) if mask.bit_count() > 1]
        return [f"{letters([number])} = {letters(_bits(mask))}" for number, mask in generated]

    def levels(self) -> list[tuple[int, ...]]:
        """`runs × factors`: 0 for +1, 1 for −1; in the first run all are at 0."""
        rows = product((0, 1), repeat=self.basic)
        return [tuple(sum(bit * (mask >> place & 1) for place, bit in enumerate(row)) % 2 for mask in self.masks)
                for row in rows]  # fmt: skip

    def aliases(self, most: int = 2) -> list[list[str]]:
        """Classes of effects of up to `most` factors that can't be told apart, those of single factors first."""
        classes: dict[int, list[str]] = {}
        for size in range(1, most + 1):
            for effect in combinations(range(len(self.masks)), size):
                mask = reduce(xor, (self.masks[number] for number in effect))
                classes.setdefault(mask, []).append(letters(effect))
        return [effects for effects in classes.values() if len(effects) > 1]


def fraction(factors: int, basic: int) -> Fraction:
    """The fraction of 2^basic runs with the fewest short words: highest resolution, then least aberration.

    Args:
        factors: How many, from `basic` to 9.
        basic: How many are varied freely; the others are products of them.

    Returns:
        The first such fraction, generators in the order of their masks.

    Example:
        >>> found = fraction(4, 3)
        >>> found.generators, found.resolution, found.aliases()
        (['D = ABC'], 4, [['AB', 'CD'], ['AC', 'BD'], ['AD', 'BC']])

    Reference:
        Box, Hunter and Hunter, Statistics for Experimenters (1978), chapter 12; least aberration: Fries and Hunter,
        Technometrics 22 (1980).
    """
    own = tuple(1 << bit for bit in range(basic))
    products = [mask for mask in range(1, 1 << basic) if mask.bit_count() > 1]
    choices = (own + chosen for chosen in combinations(products, factors - basic))
    best = min(choices, key=lambda masks: _pattern(masks, basic))
    return Fraction(best, tuple(sorted(_words(best, basic), key=lambda word: (len(word), word))))


def by_resolution(factors: int, resolution: int) -> Fraction:
    """The smallest fraction of at least that resolution; the full factorial where there is no other."""
    least = next(basic for basic in range(1, factors + 1) if 1 << basic > factors)
    for basic in range(least, factors):
        found = fraction(factors, basic)
        if (found.resolution or 0) >= resolution:
            return found
    return fraction(factors, factors)


def letters(factors: Iterable[int]) -> str:
    """Factors by their letters.

    >>> letters([0, 2])
    'AC'
    """
    return "".join(ascii_uppercase[number] for number in factors)


def _bits(mask: int) -> list[int]:
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]


def _words(masks: Sequence[int], basic: int) -> list[tuple[int, ...]]:
    """All products of the words of the generators, `D = ABC` having the word ABCD."""
    sets = [frozenset([*_bits(mask), number])
            for number, mask in enumerate(masks) if number >= basic]  # fmt: skip
    return [
        tuple(sorted(reduce(xor, chosen))) for size in range(1, len(sets) + 1) for chosen in combinations(sets, size)
    ]


def _pattern(masks: Sequence[int], basic: int) -> tuple[int, ...]:
    """How many words of length 3, 4, 5 … there are."""
    lengths = list(map(len, _words(masks, basic)))
    return tuple(lengths.count(length) for length in range(3, len(masks) + 1))
