"""The panels of `LiveDashboard`, each drawn into axes it is given."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from unetdyn.analysis.curves import Curves
from unetdyn.analysis.stable import sliding_stability, stability

# Blue and vermilion of Okabe and Ito (2008), as in `report`.
TRAINING: dict[str, Any] = {"color": "#0072B2", "marker": "o", "label": "training"}
VALIDATION: dict[str, Any] = {"color": "#D55E00", "marker": "s", "label": "validation"}

DECADES = 20  # a loss that spans more is drawn on a log axis, as in `report`


def draw_curves(ax: Axes, curves: Curves, name: str) -> None:
    """The training's curve and the validation's, of a loss or a metric; crosses where it is NaN or infinite."""
    shown = {key: style for key, style in ((name, TRAINING), (f"val_{name}", VALIDATION)) if key in curves}
    for key, style in shown.items():
        epochs, values = curves[key]
        ax.plot(epochs + 1, values, markersize=3, linewidth=1.3, **style)
        _mark_not_finite(ax, epochs[~np.isfinite(values)] + 1, style, 0.96 if key == name else 0.88)
    drawn = np.concatenate([curves[key].values for key in shown])
    drawn = drawn[np.isfinite(drawn)]
    if name == "loss" and drawn.size and drawn.min() > 0 and drawn.max() > DECADES * drawn.min():
        ax.set_yscale("log")
    ax.set_ylabel("Jaccard" if name == "jaccard" else name.replace("_", " "), parse_math=False)
    _finish(ax, curves)


def draw_stability(ax: Axes, curves: Curves, window: int) -> None:
    """σ of the last `window` values of the validation loss after each epoch, with its class at the end."""
    name, curve = curves.watched("loss")
    sigma = sliding_stability(curve.values, window)
    drawn = np.where(sigma > 0, sigma, np.nan)
    if np.isfinite(drawn).any():
        ax.set_yscale("log")
    ax.plot(curve.epochs + 1, drawn, markersize=3, linewidth=1.3, color=TRAINING["color"], marker="o")
    full = np.arange(len(sigma)) >= window - 1
    _mark_not_finite(ax, curve.epochs[full & np.isnan(sigma)] + 1, {**TRAINING, "label": "σ"})
    ax.set_title(str(stability(curve.values, window)).split("; ")[0], loc="left", fontsize=8)
    ax.set_ylabel(f"σ of the {name.replace('val_', 'validation ')}")
    _finish(ax, curves)


def draw_profile(ax: Axes, norms: Mapping[str, float]) -> None:
    """The median gradient norm of each block over the last epoch, in the order of the network.

    A block whose norm was never finite has a cross at the right.
    """
    places = np.arange(len(norms))
    drawn = np.array([norm if norm > 0 else np.nan for norm in norms.values()])
    if np.isfinite(drawn).any():
        ax.set_xscale("log")
    ax.plot(drawn, places, "o-", markersize=4, linewidth=1.0, color=TRAINING["color"])
    bad = places[np.isnan(list(norms.values()))]
    if len(bad):
        at, across = np.full(len(bad), 0.96), ax.get_yaxis_transform()
        ax.plot(at, bad, "x", color=TRAINING["color"], label="not finite", transform=across)
        ax.legend(fontsize=8, frameon=False)
    ax.set_yticks(places, list(norms), fontsize=7, parse_math=False)
    ax.set_ylim(len(norms) - 0.5, -0.5)
    ax.set_xlabel("gradient norm, last epoch")
    ax.grid(alpha=0.25)


def _mark_not_finite(ax: Axes, epochs: NDArray[np.int64], style: Mapping[str, Any], height: float = 0.96) -> None:
    """Crosses at the top of the panel, where a curve has no height."""
    if len(epochs):
        at, label = np.full(len(epochs), height), f"{style['label']} not finite"
        ax.plot(epochs, at, "x", color=style["color"], label=label, transform=ax.get_xaxis_transform())


def _finish(ax: Axes, curves: Curves) -> None:
    """All epochs that were logged, whether this panel has a value there or not."""
    epochs = np.concatenate([curve.epochs for curve in curves.values()])
    ax.set_xlim(epochs.min() + 0.5, epochs.max() + 1.5)
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.grid(alpha=0.25)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize=8, frameon=False)
