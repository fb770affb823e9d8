"""Planted Jaccards: does the interval of `bootstrap_over_sections` hold them, and would one over pixels?

A section has 400 object pixels. The share that is found is its own, drawn from Beta(8, 2); besides, a tenth as many
pixels are invented. So the pooled Jaccard of ever more sections is 0.8 / 1.1. The interval over pixels is that of
normal theory for a share of the union's pixels.
"""

import math

import numpy as np
from scipy.stats import norm

from unetdyn.evaluation import PixelCounts, bootstrap_over_sections

PIXELS = 400
TRUTH = 0.8 / 1.1
RESAMPLES = 1000


def planted(rng: np.random.Generator, sections: int) -> list[PixelCounts]:
    found = rng.binomial(PIXELS, rng.beta(8, 2, sections))
    invented = rng.binomial(PIXELS, 0.1, sections)
    return [
        PixelCounts(int(tp), int(fp), int(PIXELS - tp), 10 * PIXELS) for tp, fp in zip(found, invented, strict=True)
    ]


def over_pixels(counts: list[PixelCounts]) -> tuple[float, float]:
    total = sum(counts, PixelCounts())
    jaccard = total.scores().jaccard
    half = norm.ppf(0.975) * math.sqrt(jaccard * (1 - jaccard) / (total.tp + total.fp + total.fn))
    return jaccard - half, jaccard + half


def over_sections(counts: list[PixelCounts], seed: int) -> tuple[float, float]:
    found = bootstrap_over_sections(counts, "jaccard", resamples=RESAMPLES, seed=seed)
    return found.low, found.high


def rows(draws: int, seed: int) -> list[tuple[str, str, str]]:
    table = []
    for sections in (3, 5, 10, 20, 40):
        rng = np.random.default_rng([seed, sections])
        data = [planted(rng, sections) for _ in range(draws)]
        for what, ends, wanted in [
            ("sections", [over_sections(counts, i) for i, counts in enumerate(data)], "95 %; less below ten sections"),
            ("pixels", [over_pixels(counts) for counts in data], "no figure: it is what not to do"),
        ]:
            held = np.mean([low <= TRUTH <= high for low, high in ends])
            width = np.mean([high - low for low, high in ends])
            said = f"95 % interval over {what} holds it in {100 * held:.0f} %, mean width {width:.3f}"
            table.append((f"Jaccard {TRUTH:.3f}, {sections} sections", said, wanted))
    return table
