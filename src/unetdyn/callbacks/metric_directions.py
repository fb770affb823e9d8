"""Which log keys are metrics of the model itself, and what their Keras objects say of more and less."""

from collections.abc import Iterator

import keras

# What `model.metrics` has in place of the compiled metrics; keras.callbacks.EarlyStopping looks for the same class.
from keras.src.trainers.compile_utils import CompileMetrics

from unetdyn.analysis.declarations import Direction


def metric_directions(model: keras.Model) -> dict[str, Direction | None]:
    """The model's metrics by the name under which Keras logs them, without `val_`.

    Args:
        model: Compiled, and trained for a step at least: before that Keras has not made its metrics.

    Returns:
        Name → `"up"` where more is better, `"down"` where less is, None where the object does not say: a function as
        metric never does.

    Example:
        >>> import numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile(loss="mse", metrics=["mae", keras.metrics.R2Score(name="fit")])
        >>> _ = model.fit(np.ones((2, 1)), np.ones((2, 1)), verbose=0)
        >>> metric_directions(model)
        {'mae': 'down', 'fit': 'up'}
    """
    return {name: _direction(metric) for name, metric in _named(model) if name != "loss"}


def _named(model: keras.Model) -> Iterator[tuple[str, keras.metrics.Metric]]:
    for metric in getattr(model, "metrics", []):
        if not getattr(metric, "logged", True):  # carries a monitor's sums through the step
            continue
        if not isinstance(metric, CompileMetrics):
            yield metric.name, metric
        elif metric.built:
            # With several outputs, or of one name, they are logged under other names than their own.
            logged, metrics = list(metric.result()), metric.metrics
            yield from zip(logged if len(logged) == len(metrics) else [m.name for m in metrics], metrics, strict=True)


def _direction(metric: keras.metrics.Metric) -> Direction | None:
    way = getattr(metric, "_direction", None)  # as keras.callbacks.EarlyStopping asks it
    return way if way in ("up", "down") else None
