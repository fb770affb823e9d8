"""The picture of learning rates over a training, planned or made."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

import unetdyn.runs
from unetdyn._checks import check_count, check_positive, is_number
from unetdyn._plotting import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, drawable, log_axis
from unetdyn.report.drawing import Display, add_legend, arrays_of, escape_label, line_style, panel_title
from unetdyn.report.envelope import envelope

COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, BLACK)
DASHES = ("-", "--", "-.")  # more curves than colours: the same again, dashed
MOST_BINS = 600  # of a curve, each drawn with its least and largest: more than a picture has pixels
MOST_STEPS = 1_000_000  # that are looked at together
MOST_CALLS = 600  # of a function that takes one step at a time: each may cost a tenth of a second in a backend

RateOfStep = Callable[[int], Any] | float
"""From a step's number, counted from 0, to its rate: a schedule of Keras, a function; or a number, which stays."""


class ScheduleDisplay(Display):
    """Learning rates over the steps of a training, one curve for each schedule.

    In a notebook the object shows its picture.

    Args:
        step: `(n,)`, numbers of steps, counted from 0.
        rates: Name → `(n,)`, the rate at each of these steps.
        steps_per_epoch: The axis is in epochs where it is given; None (default): in steps.
        log: Whether the axis of the rates is logarithmic. Default False; there, what falls exponentially is a straight
            line, and rates of 0 leave gaps.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        ax_: Its axes.

    Example:
        >>> display = ScheduleDisplay.from_schedules({"halved": lambda step: 0.1 * 0.5 ** (step // 10)}, total_steps=30)
        >>> [float(rate) for rate in display.rates["halved"][[0, 9, 10, 29]]]
        [0.1, 0.1, 0.05, 0.025]
        >>> display.plot().ax_.get_xlabel()
        'step'
    """

    def __init__(
        self,
        step: ArrayLike,
        rates: Mapping[str, ArrayLike],
        *,
        steps_per_epoch: float | None = None,
        log: bool = False,
    ) -> None:
        if steps_per_epoch is not None:
            check_positive("steps_per_epoch", steps_per_epoch, "or None for an axis in steps")
        self.step = np.asarray(step)
        self.rates = {name: np.asarray(values, dtype=np.float64) for name, values in rates.items()}
        self.steps_per_epoch = steps_per_epoch
        self.log = log

    @classmethod
    def from_schedules(
        cls,
        schedules: "Mapping[str, RateOfStep] | RateOfStep",
        total_steps: int,
        *,
        steps_per_epoch: float | None = None,
        log: bool = False,
    ) -> "ScheduleDisplay":
        """The picture of what is planned.

        Args:
            schedules: By name, each a function from a step to its rate, as Keras' schedules are, or a number; or a
                single one.
            total_steps: Steps to draw. All are looked at, also those that share a pixel: of more than a million, as
                many evenly spread; 600 where a function takes no array of steps.
            steps_per_epoch: As of the class.
            log: As of the class.

        Raises:
            TypeError: If a schedule is neither a function nor a number.
            ValueError: If there is none, or `total_steps` is no whole number of 1 or more.
        """
        check_count("total_steps", total_steps, 1, "steps")
        named = dict(schedules) if isinstance(schedules, Mapping) else {"learning rate": schedules}
        if not named:
            raise ValueError("`schedules` must hold at least one. Received: none.")
        step = _spread(total_steps, MOST_STEPS)
        rates = {name: _rates(name, schedule, step) for name, schedule in named.items()}
        return cls(step, rates, steps_per_epoch=steps_per_epoch, log=log)

    @classmethod
    def from_record(
        cls, record: Mapping[str, Any], *, steps_per_epoch: float | None = None, log: bool = False
    ) -> "ScheduleDisplay":
        """The picture of what a training had, as an `UpdateMonitor` recorded it.

        Args:
            record: `UpdateMonitor().record`, or its arrays read from a run.
            steps_per_epoch: As of the class.
            log: As of the class.

        Raises:
            ValueError: If `record` lacks `step` or `learning_rate`, or has no steps.
        """
        if any(name not in record for name in ("step", "learning_rate")):
            raise ValueError(
                "`record` must be what UpdateMonitor recorded, with step and learning_rate. "
                f"Received: {', '.join(record) or 'nothing'}."
            )
        if not len(record["step"]):
            raise ValueError(
                "`record` must have at least one step. Received: a record from before the first epoch's end."
            )
        rates = {"learning rate": record["learning_rate"]}
        return cls(record["step"], rates, steps_per_epoch=steps_per_epoch, log=log)

    @classmethod
    def from_run(cls, run: "unetdyn.runs.Run | str | Path", name: str = "update", **kwargs: Any) -> "ScheduleDisplay":
        """The picture of a run directory.

        Args:
            run: An open run, or the path of one.
            name: The name of its `UpdateMonitor`.
            **kwargs: As of `from_record`.
        """
        return cls.from_record(arrays_of(run, name), **kwargs)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> "ScheduleDisplay":
        """Draw.

        Args:
            ax: Where; default: a new figure, which no pyplot window owns.
            **kwargs: How the lines are drawn, as for matplotlib's `plot`: `linewidth`, `alpha`, …

        Returns:
            The display itself, with `figure_` and `ax_`.
        """
        ax = self._one_axes(ax)
        across = self.step / (self.steps_per_epoch or 1)
        for number, (name, values) in enumerate(self.rates.items()):
            colour, dashes = COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)]
            style = line_style(kwargs, color=colour, linestyle=dashes, linewidth=1.4, label=escape_label(name))
            shown = drawable(values, log=self.log)
            places = np.arange(len(shown)) if len(shown) <= 2 * MOST_BINS else envelope(shown, MOST_BINS)
            ax.plot(across[places], shown[places], **style)
        panel_title(ax, self._summary())
        ax.set_xlabel("step" if self.steps_per_epoch is None else "epochs trained")
        ax.set_ylabel("learning rate")
        if self.log:
            log_axis(ax)
        else:
            ax.set_ylim(bottom=0)
        if self.steps_per_epoch is None:
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.grid(alpha=0.25)
        if len(self.rates) > 1:
            add_legend(ax)
        return self

    def _summary(self) -> str:
        """Of a single curve where it begins, is largest and ends; of several, how many there are."""
        if len(self.rates) > 1:
            return f"{len(self.rates)} learning rates"
        (values,) = self.rates.values()
        if not np.isfinite(values).any():
            return "no finite learning rate"
        top = int(np.nanargmax(np.where(np.isfinite(values), values, np.nan)))
        return f"from {values[0]:.3g} to {values[-1]:.3g}, largest {values[top]:.3g} at step {int(self.step[top])}"


def _rates(name: str, schedule: RateOfStep, step: NDArray[np.int64]) -> NDArray[np.float64]:
    if is_number(schedule):
        return np.full(len(step), float(schedule))  # type: ignore[arg-type]
    if not callable(schedule):
        raise TypeError(
            f"`schedules` must hold functions from a step to its rate, or numbers. "
            f"Received: {name}={type(schedule).__name__}."
        )
    found = _together(schedule, step)
    if found is not None:
        return found
    asked = step[_spread(len(step), MOST_CALLS)]
    return np.interp(step, asked, _one_by_one(schedule, asked))


def _one_by_one(schedule: Callable[[int], Any], step: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.array([float(schedule(int(each))) for each in step])


def _together(schedule: Callable[[Any], Any], step: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """What one call with all steps gives; None where it fails, or says something else than calls one by one."""
    try:
        found = np.asarray(schedule(step), dtype=np.float64)
    except Exception:  # a backend's, or of a function that was made for one step
        return None
    if found.shape != step.shape:
        return None
    some = _spread(len(step), 7)
    close = 1e-6 * np.abs(found[np.isfinite(found)]).max(initial=0.0)
    agrees = np.allclose(found[some], _one_by_one(schedule, step[some]), rtol=0, atol=close, equal_nan=True)
    return found if agrees else None


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """Whole numbers from 0 to count − 1: all of them, or `most`, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
