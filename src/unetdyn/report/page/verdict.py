"""A verdict on a run in plain words: is it well, and if not, what speaks against it."""

from dataclasses import dataclass

from unetdyn.analysis import read_history
from unetdyn.analysis.stable import DDOF, WINDOW
from unetdyn.report.page.curve_signs import curve_signs
from unetdyn.report.page.gradient_signs import gradient_signs
from unetdyn.report.page.signs import SYMBOLS, Sign, worst
from unetdyn.runs import Run

TITLES = {"unknown": "Too little to tell", "good": "Healthy", "watch": "Watch", "ill": "Ill"}
RULES = (
    "A run is as ill as its worst sign. Ill: it failed; the loss, the validation loss or the metric is no number at "
    "the end; the metric never was above 0, lost a third of its best, jumps by a tenth of it from epoch to epoch or "
    "collapsed for good or more than once; the training loss never fell, or ended where it began or above, or the "
    "validation loss rose by three times what it had fallen; the loss's stability is Poor or Very poor, apart from its "
    "descent; gradients explode or vanish in a tenth of the epochs, or are not finite in a tenth of the steps, in half "
    "of them where these updates were skipped; updates are above ten times the monitor's band at the end. "
    "These limits are rules of thumb, apart from the classes of stability, which are those of the studies."
)


@dataclass(frozen=True)
class Verdict:
    """What to think of a run.

    Attributes:
        level: The worst of the signs': `"good"`, `"watch"` or `"ill"`; `"unknown"` where nothing speaks against a run
            whose stability can't be told: few epochs, a loss that still falls, or none that was logged.
        sentence: Why, in plain words.
        signs: What was looked at, one each.
    """

    level: str
    sentence: str
    signs: tuple[Sign, ...]

    @property
    def word(self) -> str:
        """The level as a heading."""
        return TITLES[self.level]

    @property
    def symbol(self) -> str:
        """The level as a symbol, so that it is seen without colours too."""
        return SYMBOLS[self.level]


def verdict(run: Run, metric: str | None, window: int = WINDOW, ddof: int = DDOF) -> Verdict:
    """Everything that speaks for and against a run.

    Args:
        run: From `unetdyn.runs.open`, with an epoch or more.
        metric: The metric that performance is read from, without `val_`; None where there is none.
        window: Over how many values stability is measured.
        ddof: 1 or 0, see `unetdyn.analysis.stability`.
    """
    curves = read_history(run)
    signs = [_status(run), *curve_signs(curves, metric, window, ddof), *gradient_signs(run, curves, window)]
    level = worst(sign.level for sign in signs)
    stable = next(sign for sign in signs if sign.name == "stability")
    if level == "good" and stable.level == "unknown":
        return Verdict("unknown", f"Nothing speaks against it yet; {stable.text}.", tuple(signs))
    return Verdict(level, _sentence(signs), tuple(signs))


def _sentence(signs: list[Sign]) -> str:
    """What speaks against the run, the worst first."""
    reasons = {level: "; ".join(sign.why for sign in signs if sign.level == level) for level in ("ill", "watch")}
    if not any(reasons.values()):
        return "Nothing that was looked at speaks against this training."
    text = reasons["ill"] or reasons["watch"]
    more = f" Beside that, {reasons['watch']}." if reasons["ill"] and reasons["watch"] else ""
    return f"{text[0].upper()}{text[1:]}.{more}"


def _status(run: Run) -> Sign:
    """How the run ended, if it did."""
    epochs = f"{len(run.epochs)} epoch{'s' if len(run.epochs) != 1 else ''}"
    if run.status == "finished":
        return Sign("ended", "good", f"finished after {epochs}")
    if run.status == "failed":
        error = str(run.summary.get("error", "no error was recorded"))
        return Sign("ended", "ill", f"failed after {epochs}: {error}", f"it failed after {epochs}")
    if run.status == "interrupted":
        return Sign("ended", "watch", f"interrupted after {epochs}", f"it was interrupted after {epochs}")
    return Sign("ended", "watch", f"still running, or killed, after {epochs}", "it was killed, or still runs")
