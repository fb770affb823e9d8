"""What the results of an analysis share: they show themselves, as text and as a table in a notebook."""

import dataclasses
import html
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from unetdyn._checks import nearest

_MOST_DIGITS = 6  # of a number just short of 1


class Judgement:
    """What is never true by accident: `if result:` says what was found, or raises.

    Example:
        >>> class Peak(Judgement):
        ...     height = 0.7
        >>> bool(Peak())
        Traceback (most recent call last):
        TypeError: `Peak` is neither true nor false: ask for one of its attributes, or whether it `is None`.
    """

    def _answer(self) -> bool | None:
        """Yes or no, where that is what it is about; None (default) where it is about something else."""
        return None

    def __bool__(self) -> bool:
        answer = self._answer()
        if answer is None:
            raise TypeError(
                f"`{type(self).__name__}` is neither true nor false: ask for one of its attributes, or whether it "
                "`is None`."
            )
        return answer


class Result(Judgement):
    """Base of the result dataclasses. A subclass says in `_rows` what a person should read, in order.

    Attributes of results count epochs from 0, as Keras' callbacks do; what is shown counts from 1, as Keras prints.
    A result that answers yes or no, such as whether a training converged, says so in `_answer`; `bool` of any other
    raises.

    Example:
        >>> class Peak(Result):
        ...     def _rows(self):
        ...         return [("peak", number(0.71828)), ("at epoch", "3")]
        >>> print(Peak())
        peak      0.718
        at epoch  3
    """

    def _rows(self) -> list[tuple[str, str]]:
        """Label and value of each line."""
        raise TypeError(f"{type(self).__name__} must define `_rows`.")

    def __str__(self) -> str:
        rows = self._rows()
        width = max((len(label) for label, _ in rows), default=0)
        return "\n".join(f"{label.ljust(width)}  {value}".rstrip() for label, value in rows)

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(label)}</th>"
            f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
            for label, value in self._rows()
        )
        return f"<table>{cells}</table>"


class KeyedResult(Result, Mapping[str, Any]):
    """A result whose attributes are also keys, for scripts that had a dictionary before. Subclasses are dataclasses.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Peak(KeyedResult):
        ...     peak_epoch: int
        >>> Peak(3)["peak_epoch"], Peak(3).as_dict()
        (3, {'peak_epoch': 3})
    """

    def __getitem__(self, key: str) -> Any:
        if key not in set(self):
            raise KeyError(f"{type(self).__name__} has {', '.join(self)}. Received: {key!r}.{nearest(key, self)}")
        return getattr(self, key)

    def __iter__(self) -> Iterator[str]:
        return (field.name for field in dataclasses.fields(self))  # type: ignore[arg-type]

    def _answer(self) -> bool:
        return True  # a dictionary that is not empty, as scripts had it

    def __len__(self) -> int:
        return len(dataclasses.fields(self))  # type: ignore[arg-type]

    def as_dict(self) -> dict[str, Any]:
        """A dictionary of all of it."""
        return dict(self)


class Determinable(Result):
    """A result that the data may leave undetermined. A subclass has `reason`, a field or a property.

    Whatever a result cannot tell is NaN or None in it, and `reason` says why; where it tells everything, `reason` is
    empty. `bool` of an undetermined one raises: it is no "no".

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Peak(Determinable):
        ...     peak: float
        ...     reason: str = ""
        ...     def _rows(self):
        ...         return [("peak", self._if_determined(number(self.peak)))]
        >>> print(Peak(math.nan, "there is no epoch"))
        peak  undetermined: there is no epoch
        >>> Peak(0.71828).determined
        True
    """

    if TYPE_CHECKING:  # a property at run time would be taken for a field's default value

        @property
        def reason(self) -> str: ...  # noqa: D102 - see above

    @property
    def determined(self) -> bool:
        """Whether the data told everything; `reason` says what they did not."""
        return not self.reason

    def __bool__(self) -> bool:
        if not self.determined:
            raise ValueError(
                f"`{type(self).__name__}` is undetermined, neither true nor false: {self.reason}. Ask for its "
                "`determined` first."
            )
        return super().__bool__()

    def _if_determined(self, shown: str) -> str:
        return shown if self.determined else undetermined(self.reason)


def undetermined(reason: str) -> str:
    """What is said in place of a value.

    >>> undetermined("there is no epoch")
    'undetermined: there is no epoch'
    """
    return f"undetermined: {reason}"


def number(value: float | None, digits: int = 3) -> str:
    """A number as a person writes it; "not defined" for None and NaN.

    >>> number(0.0123456), number(float("nan")), number(12345.6), number(0.9996)
    ('0.0123', 'not defined', '12346', '0.9996')
    """
    if value is None or math.isnan(value):
        return "not defined"
    rounded = abs(float(f"{value:.{digits}g}"))
    # A Jaccard or a probability just short of 1 is another thing than 1.
    if abs(value) < rounded == 1 and digits < _MOST_DIGITS:
        return number(value, digits + 1)
    # Significant digits would write 12345.6 as 1.23e+04, and an epoch or a pixel count is not read like that.
    value = value or 0.0  # no minus before 0
    return f"{value:.0f}" if 10**digits <= rounded and abs(value) < 1e7 else f"{value:.{digits}g}"


def interval(low: float, high: float, digits: int = 3) -> str:
    """Both ends of an interval.

    >>> interval(0.12345, 0.2)
    '0.123 to 0.2'
    """
    return f"{number(low, digits)} to {number(high, digits)}"


def epoch(value: int | float | None) -> str:
    """An epoch that counts from 0, as a person counts; "never" for None and NaN.

    >>> epoch(0), epoch(None)
    ('1', 'never')
    """
    return "never" if value is None or math.isnan(value) else f"{int(value) + 1}"
