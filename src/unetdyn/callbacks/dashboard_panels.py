"""The panels of `LiveDashboard`, each drawn into axes it is given."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from unetdyn.analysis.curves import Curves
from unetdyn.analysis.stability import sliding_stability, stability

# Blue and vermilion of Okabe and Ito (2008), as in `report`.
TRAINING: dict[str, Any] = {"color": "#0072B2", "marker": "o", "label": "training"}
VALIDATION: dict[str, Any] = {"color": "#D55E00", "marker": "s", "label": "validation"}

DECADES = 20  # a loss that spans more is drawn on a log axis, as in `report`


def draw_curves(ax: Axes, curves: Curves, name: str) -> None:
    """The training's curve and the validation's, of a loss or a metric."""
    for key, style in ((name, TRAINING), (f"val_{name}", VALIDATION)):
        if key in curves:
            ax.plot(curves[key].epochs + 1, curves[key].values, markersize=3, linewidth=1.3, **style)
    drawn = np.concatenate([line.get_ydata() for line in ax.get_lines()])
    drawn = drawn[np.isfinite(drawn)]
    if name == "loss" and drawn.size and drawn.min() > 0 and drawn.max() > DECADES * drawn.min():
        ax.set_yscale("log")
    ax.set_ylabel("Jaccard" if name == "jaccard" else name.replace("_", " "))
    _finish(ax)
    ax.legend(fontsize=8, frameon=False)


def draw_stability(ax: Axes, curves: Curves, window: int) -> None:
    """σ of the last `window` values of the validation loss after each epoch, with its class at the end."""
    name, curve = curves.watched("loss")
    sigma = sliding_stability(curve.values, window)
    drawn = np.where(sigma > 0, sigma, np.nan)
    if np.isfinite(drawn).any():
        ax.set_yscale("log")
    ax.plot(curve.epochs + 1, drawn, markersize=3, linewidth=1.3, color=TRAINING["color"], marker="o")
    ax.set_title(str(stability(curve.values, window)).split("; ")[0], loc="left", fontsize=8)
    ax.set_ylabel(f"σ of the {name.replace('val_', 'validation ')}")
    ax.set_xlim(0.5, curve.epochs[-1] + 1.5)
    _finish(ax)


def draw_profile(ax: Axes, norms: Mapping[str, float]) -> None:
    """The median gradient norm of each block over the last epoch, in the order of the network."""
    places = np.arange(len(norms))
    drawn = np.array([norm if norm > 0 else np.nan for norm in norms.values()])
    if np.isfinite(drawn).any():
        ax.set_xscale("log")
    ax.plot(drawn, places, "o-", markersize=4, linewidth=1.0, color=TRAINING["color"])
    ax.set_yticks(places, list(norms), fontsize=7)
    ax.set_ylim(len(norms) - 0.5, -0.5)
    ax.set_xlabel("gradient norm, last epoch")
    ax.grid(alpha=0.25)


def _finish(ax: Axes) -> None:
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.grid(alpha=0.25)
