"""How good the metric got, whether a constant answer is as good, and how much of it is left at the end."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.diagnosis.change import LITTLE, NOISE_SCALES, ending, never_left, noise
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding, graded
from unetdyn.analysis.diagnosis.limit import Limit, share, times
from unetdyn.analysis.metric_names import readable
from unetdyn.analysis.result import epoch, number

LOST, LOST_MUCH = 0.1, 1 / 3  # how much of its best the metric has lost at the end
NONE, FEW = 0.1, 0.3  # of the way from the best constant answer to a perfect one: nothing learned, little learned
UNSEEN = 0.02  # an overlap below it is none, where it is not known what a constant answer reaches
END_SCATTERS = 1.0  # noise scales by which a median of three may lie below the mean
SOON = 5  # epochs before which little says nothing

NOT_FINITE = Limit(
    "metric.nonfinite",
    "the metric",
    ill="is no number at the end, or never was",
    advice="compute it by hand for one image: a division by 0 where nothing is answered, or NaN in outputs or masks.",
    expected="the metric is a number in every epoch.",
    normal="of a metric that has no value for images without an object.",
)
NOTHING = Limit(
    "metric.nothing",
    "the metric",
    ill=f"got less than {share(NONE)} of the way from the best constant answer to 1, or never above {UNSEEN:g}",
    normal="in the first epochs of a long training with few positive pixels.",
    advice="find out first whether the network can learn at all: train on two images until it knows them by heart.",
    expected="the metric of these two images comes near 1.",
)
LITTLE_LEARNED = Limit(
    "metric.low",
    "the metric",
    watch=f"got less than {share(FEW)} of the way from the best constant answer to 1",
    advice="more epochs where the training loss still falls; else more filters, or more training images.",
    expected="the metric leaves the constant answer's behind.",
    normal="where the masks of two experts agree no better.",
)
FLAT = Limit(
    "metric.flat",
    "the metric",
    watch=f"stayed within {share(LITTLE)} and within {times(NOISE_SCALES)} its noise of where it began",
    advice="a look at the training's own metric: where that rises, the sets or the modes differ.",
    expected="the metric rises from its first value.",
    normal="where the training began with weights that were trained before.",
)
END = Limit(
    "metric.end",
    "the metric",
    f"lost {share(LOST)} of its best",
    f"lost {share(LOST_MUCH)} of its best",
    advice="keep the weights of the best epoch (`RunRecorder(save_best=...)`, `ModelCheckpoint(save_best_only=True)`).",
    expected="the weights that are kept have the best metric.",
    normal="where the best was a lucky epoch of a validation set of few images.",
)
LIMITS = (NOT_FINITE, NOTHING, LITTLE_LEARNED, FLAT, END)


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding on the metric, where there is one."""
    if evidence.watched_metric is None:
        return
    logged, curve = evidence.watched_metric
    words, best = readable(logged), evidence.curves.best(logged)
    if best is None:
        yield NOT_FINITE.finding("ill", words, "never a number", f"its {words} never was a number", curves=[logged])
        return
    peak, last = float(curve.values[best]), float(curve.values[-1])
    text = f"best {number(peak)} at epoch {epoch(int(curve.epochs[best]))}, {number(last)} at the end"
    lost, far = _lost(curve.values, peak, evidence.metric_rises), learned(evidence, peak)
    level = graded(lost, LOST, LOST_MUCH)
    if not np.isfinite(last):
        yield NOT_FINITE.finding("ill", words, text, f"its {words} is not finite at the end", curves=[logged])
    elif far is not None and far[0] < NONE and len(curve.values) >= SOON and not evidence.goes_on:
        yield NOTHING.finding("ill", words, f"{text}; {far[1]}", _nothing(words, far[1]), curves=[logged])
    elif far is not None and far[0] < FEW and len(curve.values) >= SOON and not evidence.goes_on:
        why = f"its {words} is little better than a constant answer's"
        yield LITTLE_LEARNED.finding("watch", words, f"{text}; {far[1]}", why, curves=[logged])
    elif (
        level == "good"
        and len(curve.values) >= evidence.window
        and not evidence.carried_on
        and not _far(far)
        and not (far is not None and far[0] == 1 and evidence.began_well)
        and not _nearer(evidence, curve.values, peak)
        and never_left(curve.values, peak)
    ):
        yield FLAT.finding("watch", words, text, f"its {words} never got better by more than noise", curves=[logged])
    else:
        why = f"its {words} ended {lost:.0%} off its best"
        yield END.finding(level, words, text, why, curves=[logged])


def _far(far: tuple[float, str] | None) -> bool:
    """Whether it is known to be far from a constant answer: a training that began well has nowhere to go."""
    return far is not None and FEW < far[0] < 1


def _nearer(evidence: Evidence, values: NDArray[np.float64], peak: float) -> bool:
    """Whether a tenth of an accuracy's errors are gone: where one class is rare it begins near 1."""
    first = float(values[np.isfinite(values)][0])
    if "accuracy" not in str(evidence.metric) or not evidence.metric_rises or not first < peak <= 1:
        return False
    return peak - first > max(LITTLE * (1 - first), NOISE_SCALES * noise(values))


def _lost(values: NDArray[np.float64], peak: float, rises: bool) -> float:
    """The part of its best that the metric has lost, where that is more than its noise.

    The best of n noisy values lies up to about sqrt(2 ln n) noise scales above their mean, and the end scatters too.
    """
    end = ending(values)
    lost = peak - end if rises else end - peak
    scales = np.sqrt(2 * np.log(np.isfinite(values).sum())) + END_SCATTERS
    return lost / abs(peak) if peak and lost > scales * noise(values) else 0.0


def learned(evidence: Evidence, peak: float) -> tuple[float, str] | None:
    """How far from the best constant answer to a perfect one the metric got, and what that answer reaches."""
    if not evidence.metric_rises:
        return None
    constant = evidence.recorded("val_constant_jaccard")
    if constant is not None and evidence.is_overlap and np.isfinite(constant[0]).any():
        reached = _of_this_metric(str(evidence.metric), float(np.nanmax(constant[0], initial=0.0)))
        if reached < 1:
            return (peak - reached) / (1 - reached), f"the best constant answer reaches {number(reached)}"
    if evidence.is_overlap:
        return (0.0 if peak <= UNSEEN else 1.0), f"it never was above {number(max(peak, 0.0))}"
    return None


def _of_this_metric(name: str, jaccard: float) -> float:
    """The overlap of the best constant answer: a Dice of it is 2 J / (1 + J).

    >>> round(_of_this_metric("dice_coef", 0.5), 3), _of_this_metric("jaccard", 0.5)
    (0.667, 0.5)
    """
    return 2 * jaccard / (1 + jaccard) if "dice" in name.lower() or "dsc" in name.lower() else jaccard


def _nothing(words: str, how: str) -> str:
    return f"it learned nothing: its {words} got no further than a constant answer ({how})"
