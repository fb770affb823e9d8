"""What a logged value is, told by its name: an overlap, another metric, an error, or no metric at all."""

import re

_FIRST = ("jaccard", "jacard_coef")  # ours, and the widely copied tutorials'
_OVERLAP = re.compile(r"(jacc?ard|io_?u|dice)(?![a-z])")  # `mean_io_u` is what Keras calls its MeanIoU
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
_ERROR_WORDS = {"mae", "mse", "rmse", "mape", "msle", "ece", "nll", "bce", "kld", "hd", "hd95", "assd", "asd"}
# What callbacks and the recorder write into the logs beside metrics.
_NOT_METRICS_END = ("stability", "stability_cv", "learning_rate", "lr", "seconds", "epoch")
_NOT_METRICS_START = (
    "grad_",
    "update_ratio",
    "noise_scale",
    "trace_covariance",
    "gradient_sq",
    "skipped_",
    "agc_",
    "auto_clip_",
)


def less_is_better(name: str) -> bool:
    """Whether a logged value should fall: a loss, an error, a distance. Only its name is looked at.

    >>> [less_is_better(name) for name in ("val_loss", "edge_loss", "mae_1", "mean_squared_error", "val_jaccard")]
    [True, True, True, True, False]
    """
    name = name.lower()
    return any(part in name for part in _ERROR_PARTS) or not _ERROR_WORDS.isdisjoint(name.split("_"))


def is_metric(name: str) -> bool:
    """Whether a logged value is a metric or an error, not the loss itself nor what callbacks write.

    >>> [is_metric(name) for name in ("accuracy", "val_mae", "loss", "grad_norm", "learning_rate")]
    [True, True, False, False, False]
    """
    base = name.removeprefix("val_")
    return base != "loss" and not base.endswith(_NOT_METRICS_END) and not base.startswith(_NOT_METRICS_START)


def overlap_rank(name: str) -> int:
    """0 for the Jaccard under its usual names, 1 for another Jaccard, IoU or Dice, 2 for anything else.

    >>> [overlap_rank(name) for name in ("jaccard", "mask_jaccard", "mean_io_u", "dice_coef", "accuracy")]
    [0, 1, 1, 1, 2]
    """
    if name in _FIRST:
        return 0
    return 1 if _OVERLAP.search(name.lower()) else 2


def check_more_is_better(base: str, received: str | None, source: str) -> None:
    """Refuse a loss or an error where the highest value is taken for the best.

    >>> check_more_is_better("jaccard", received=None, source="log.csv")
    """
    if less_is_better(base):
        raise ValueError(
            "`metric` must be one of which more is better, such as jaccard: the performance is its highest value. "
            f"Received: metric={received!r}, which takes {base!r} of {source}."
        )
