"""What a logged name says: a metric or not, more or less of it better, where it was best, and how a person says it.

What a run recorded comes first, then what our callbacks declare, last the name.
"""

import re
from collections.abc import Container

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.declarations import Direction
from unetdyn.analysis.log_keys import NOTHING, LogKeys

_FIRST = ("jaccard", "jacard_coef")  # ours, and the widely copied tutorials'
_OVERLAP = re.compile(r"(jacc?ard|io_?u|dice|dsc|tversky)(?![a-z])")  # `mean_io_u` is what Keras calls its MeanIoU
_SKILL = "skill"  # of a score: 1 − error / reference error, of which more is better
_ERROR_PARTS = (
    "loss",
    "error",
    "crossentropy",
    "cross_entropy",
    "divergence",
    "hinge",
    "poisson",
    "logcosh",
    "log_cosh",
    "hausdorff",
    "distance",
    "brier",
    "perplexity",
    "false_positive",
    "false_negative",
)
_ERROR_WORDS = re.compile(
    r"(?<![a-z0-9])(mae|mse|rmse|mape|smape|msle|rmsle|ece|mce|nll|bce|cce|scce|kld|kl|huber|pinball|wasserstein|emd|"
    r"hd|hd95|assd|asd|masd|fpr|fnr|fdr|voi|voe|rvd)(?![a-z0-9])"
)
_ERROR_NAMES = re.compile("ctc|circle|lovasz(_(hinge|softmax))?|focal(_tversky)?")
_SCORE_WORDS = re.compile(
    r"(?<![a-z0-9])(accuracy|acc|precision|recall|sensitivity|specificity|auc|auroc|auprc|f1|f2|f_?beta|"
    r"kappa|mcc|npv|ppv|tpr|tnr|psnr|ssim|nsd)(?![a-z0-9])"
)
_NO_METRIC = re.compile(
    r"(?<![a-z0-9])(lr|learning_rate|time|seconds|minutes|hours|runtime|duration|eta|epochs?|steps?|iterations?|"
    r"batch_size|per_second|grads?|gradients?|weight_decay|momentum|memory|gpu|cpu|temperature|throughput|stability|"
    r"sigma|timestamp)(?![a-z0-9])"
)
_SCORE_NAMES = re.compile(
    "(r2(_score)?|true_(positives|negatives)|cosine_similarity|(pearson|concordance)_correlation|"
    "explained_variance|panoptic_quality|(adjusted_)?rand_(index|score)|volum(e|etric)_similarity)"
)


def direction(name: str, keys: LogKeys = NOTHING) -> Direction | None:
    """Whether more or less of a logged value is better: the one place that decides it.

    Keras' metric object is asked first, where the run recorded what it says; then the declaration of what a callback
    writes; then the name.

    Args:
        name: As logged, with or without `val_`.
        keys: What the run recorded; default nothing.

    Returns:
        `"up"`, `"down"`, or `"none"` of a value that is neither good nor bad; None where nothing tells.

    Example:
        >>> [direction(name) for name in ("val_jaccard", "mae_1", "stability", "grad_norm", "sharpness")]
        ['up', 'down', 'down', 'none', None]
        >>> direction("val_my_distance", LogKeys(metrics={"my_distance": "up"}))
        'up'
    """
    base = name.removeprefix("val_")
    if base == "loss":
        return "down"
    return keys.metrics.get(base) or _declared(name, keys) or _by_name(base)


def less_is_better(name: str, keys: LogKeys = NOTHING) -> bool:
    """Whether a logged value should fall: a loss, an error, a distance.

    >>> [less_is_better(name) for name in ("val_loss", "edge_loss", "mae_1", "mean_squared_error", "val_jaccard")]
    [True, True, True, True, False]
    """
    return direction(name, keys) == "down"


def is_metric(name: str, logged: Container[str] = (), keys: LogKeys = NOTHING) -> bool:
    """Whether a logged value is a metric or an error of the model: not the loss itself, nor what callbacks write.

    Yes, if the run recorded it as a metric. No, if a callback declares it, or if it has the name of a rate, a time, a
    step, a gradient or a stability. Otherwise yes if it has a validation value or a common metric's name.

    Args:
        name: As logged, with or without `val_`.
        logged: All that was logged beside it.
        keys: What the run recorded; default nothing.

    Example:
        >>> [is_metric(name) for name in ("accuracy", "val_mae", "loss", "grad_norm", "sharpness")]
        [True, True, False, False, False]
        >>> is_metric("val_time"), is_metric("val_grad_norm"), is_metric("val_lr")
        (False, False, False)
        >>> is_metric("my_score", logged=["loss", "my_score", "val_loss", "val_my_score"])
        True
    """
    base = name.removeprefix("val_")
    if base == "loss":
        return False
    if base in keys.metrics:
        return True
    if _declared(f"val_{base}", keys) is not None or _NO_METRIC.search(_words(base)):
        return False
    return name != base or f"val_{base}" in logged or _by_name(base) is not None


def best_epoch(values: NDArray[np.float64], direction: Direction | None) -> int | None:
    """Where a logged value was best, the first of equals; None where it never was finite.

    Args:
        values: `(n,)`.
        direction: `"down"` for the lowest, anything else for the highest; see the function `direction`.

    Returns:
        The place in `values`.

    Example:
        >>> best_epoch(np.array([0.1, 0.7, np.nan]), "up"), best_epoch(np.array([0.1, 0.7]), "down")
        (1, 0)
    """
    usable = np.isfinite(values)
    if not usable.any():
        return None
    if direction == "down":
        return int(np.argmin(np.where(usable, values, np.inf)))
    return int(np.argmax(np.where(usable, values, -np.inf)))


def readable(logged: str) -> str:
    """A logged name in words.

    >>> readable("val_jaccard"), readable("dice"), readable("loss")
    ('validation Jaccard', 'Dice', 'loss')
    """
    words = logged.replace("val_", "validation ", 1) if logged.startswith("val_") else logged
    return re.sub(r"\b(jaccard|dice)\b", lambda name: name[0].capitalize(), words.replace("_", " "))


def overlap_rank(name: str) -> int:
    """0 for the Jaccard under its usual names, 1 for another Jaccard, IoU or Dice, 2 for anything else.

    >>> [overlap_rank(name) for name in ("jaccard", "mask_jaccard", "mean_io_u", "dice_coef", "accuracy")]
    [0, 1, 1, 1, 2]
    """
    if name in _FIRST:
        return 0
    return 1 if _OVERLAP.search(name.lower()) else 2


def check_more_is_better(base: str, received: str | None, source: str, keys: LogKeys = NOTHING) -> None:
    """Refuse a loss or an error where the highest value is taken for the best.

    >>> check_more_is_better("jaccard", received=None, source="log.csv")
    """
    if less_is_better(base, keys):
        raise ValueError(
            "`metric` must be one of which more is better, such as jaccard: the performance is its highest value. "
            f"Received: metric={received!r}, which takes {base!r} of {source}."
        )


def _declared(name: str, keys: LogKeys) -> Direction | None:
    """By a callback; a key of `val_jaccard_stability` is declared for `jaccard_stability` too."""
    base = name.removeprefix("val_")
    return keys.declared_direction(base) or keys.declared_direction(f"val_{base}")


def _words(base: str) -> str:
    """In small letters, with `_` between the words of `epochTime` and for whatever else is written between them."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", base).lower())


def _by_name(base: str) -> Direction | None:
    """What a name in common use says; an error whose name has that of a score in it, as `dice_loss`, is an error."""
    base = re.sub(r"_\d+$", "", base.lower())  # Keras numbers metrics of one name
    if _SKILL in base.split("_"):
        return "up"
    if any(part in base for part in _ERROR_PARTS) or _ERROR_WORDS.search(base) or _ERROR_NAMES.fullmatch(base):
        return "down"
    score = _SCORE_WORDS.search(base) or _SCORE_NAMES.fullmatch(base) or _OVERLAP.search(base)
    return "up" if score else None
