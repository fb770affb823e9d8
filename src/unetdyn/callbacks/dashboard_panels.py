"""The panels of `LiveDashboard`, each drawn into axes it is given."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from unetdyn._plotting import (
    BLUE,
    TRAINING,
    VALIDATION,
    draw_epochs,
    drawable,
    epoch_axis,
    error_colours,
    mark_not_finite,
    mark_off_scale,
    spans_decades,
)
from unetdyn.analysis import Curves, sliding_stability, stability
from unetdyn.analysis.metric_names import readable
from unetdyn.analysis.thresholds.flips import jaccard_of
from unetdyn.runs.predictions import Predictions

TILES = 4


def draw_curves(ax: Axes, curves: Curves, name: str) -> None:
    """The training's curve and the validation's, of a loss or a metric; crosses where it is NaN or infinite."""
    shown = {key: style for key, style in ((name, TRAINING), (f"val_{name}", VALIDATION)) if key in curves}
    for key, style in shown.items():
        draw_epochs(ax, *curves[key], 0.96 if key == name else 0.88, markersize=3, linewidth=1.3, **style)
    if name == "loss" and spans_decades(np.concatenate([curves[key].values for key in shown])):
        ax.set_yscale("log")
    ax.set_ylabel(readable(name), parse_math=False)
    _finish(ax, curves)


def draw_stability(ax: Axes, curves: Curves, window: int) -> None:
    """σ of the last `window` values of the validation loss after each epoch, with its class at the end."""
    name, curve = curves.watched("loss")
    sigma = sliding_stability(curve.values, window)
    drawn = drawable(sigma, log=True)
    if np.isfinite(drawn).any():
        ax.set_yscale("log")
    ax.plot(curve.epochs + 1, drawn, markersize=3, linewidth=1.3, color=BLUE, marker="o")
    full = np.arange(len(sigma)) >= window - 1
    mark_not_finite(ax, curve.epochs[full & np.isnan(sigma)] + 1, BLUE, "σ not finite")
    found = stability(curve.values, window)
    known = found.determined and found.finite
    words = f"σ {found.sigma:.3g} over the last {window} epochs: {found.classes}" if known else str(found)
    ax.set_title(words, loc="left", fontsize=8)
    ax.set_ylabel(f"σ of the {readable(name)}")
    _finish(ax, curves)


def draw_profile(ax: Axes, norms: Mapping[str, float]) -> None:
    """The median gradient norm of each block over the last epoch, in the order of the network.

    A block whose norm was never finite has a cross at the right.
    """
    places, values = np.arange(len(norms)), np.array(list(norms.values()))
    drawn = drawable(values, log=True)
    if np.isfinite(drawn).any():
        ax.set_xscale("log")
    ax.plot(drawn, places, "o-", markersize=4, linewidth=1.0, color=BLUE)
    bad = places[np.isnan(values)]
    if len(bad):
        mark_off_scale(ax, bad, 0.96, along="y", color=BLUE, label="not finite")
        ax.legend(fontsize=8, frameon=False)
    ax.set_yticks(places, list(norms), fontsize=7, parse_math=False)
    ax.set_ylim(len(norms) - 0.5, -0.5)
    ax.set_xlabel("gradient norm, last epoch")
    ax.grid(alpha=0.25)


def draw_predictions(ax: Axes, found: Predictions) -> None:
    """The tiles of the lowest Jaccard in the last epoch that was predicted: images above, their errors below."""
    epoch = found.epochs[-1]
    mask, above = found.mask, found.probability(epoch) > 0.5
    scores = np.array([jaccard_of(*pair) for pair in zip(mask, above, strict=True)])
    worst = np.argsort(scores, kind="stable")[:TILES]
    images, errors = found.image[worst] / 255, error_colours(mask[worst], above[worst])
    gap = max(1, images.shape[2] // 24)

    def row(pictures: NDArray[Any]) -> NDArray[Any]:
        space = [(0, 0), (0, gap), (0, gap), (0, 0)]
        return np.concatenate(list(np.pad(pictures, space, constant_values=1.0)), axis=1)

    images = np.broadcast_to(images, (*images.shape[:3], 3))
    ax.imshow(np.concatenate([row(images), row(errors)]), interpolation="antialiased")
    step = images.shape[2] + gap
    labels = [f"{scores[place]:.2f}" for place in worst]
    ax.set_xticks([step * place + images.shape[2] / 2 for place in range(len(worst))], labels, fontsize=8)
    ax.set_yticks([])
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    ax.set_xlabel("Jaccard of the tile; false positives vermilion, false negatives blue", fontsize=8)
    ax.set_title(f"predictions of epoch {epoch + 1}: the worst of {len(mask)} tiles", loc="left", fontsize=8)


def _finish(ax: Axes, curves: Curves) -> None:
    """All epochs that were logged, whether this panel has a value there or not."""
    epoch_axis(ax, np.concatenate([curve.epochs for curve in curves.values()]))
    ax.grid(alpha=0.25)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize=8, frameon=False)
