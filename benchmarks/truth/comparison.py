"""Does the comparison of runs find what was planted? Variance components, exponents, slopes, analysis of variance."""

from collections.abc import Callable

import numpy as np

from unetdyn.analysis import (
    RunSummary,
    anova,
    anova_power,
    improvement_factor,
    sensitivity,
    stability_exponent,
    summarise,
    variance_components,
)

Row = tuple[str, str, str]
PLANTED = {"architecture": 0.05**2, "optimisation": 0.04**2, "stochastic": 0.02**2}


def rows(draws: int, seed: int) -> list[Row]:
    """What was planted, what was found with its standard error, and what was wanted."""
    rng = np.random.default_rng(seed)
    return [
        *component_rows("nested, 6 architectures × 4 settings × 3 seeds", draws, lambda: nested(rng, 6, 4, 3)),
        *component_rows("crossed, 6 architectures × 6 settings × 3 seeds", draws, lambda: crossed(rng, 6, 6, 3)),
        *component_rows("nested, a third of the runs lost, REML", draws, lambda: thinned(rng, nested(rng, 8, 4, 4))),
        *component_rows("crossed, 3 architectures × 4 settings × 2 seeds", draws, lambda: crossed(rng, 3, 4, 2)),
        *component_rows("nested 3 × 3 × 3, a third lost, REML", draws, lambda: thinned(rng, nested(rng, 3, 3, 3))),
        *exponent_rows(draws, rng),
        *sensitivity_rows(draws, rng),
        *anova_rows(draws, rng),
        improvement_row(draws, rng),
    ]


def run(performance: float, **factors: object) -> RunSummary:
    """A run of which nothing but its peak and its factors is known."""
    return summarise({"val_jaccard": [performance]}, factors=factors)


def nested(rng: np.random.Generator, architectures: int, settings: int, seeds: int) -> list[RunSummary]:
    """y = a + b within a + e, each normal with the planted variance."""
    a, b, e = (np.sqrt(PLANTED[name]) for name in ("architecture", "optimisation", "stochastic"))
    found = []
    for i in range(architectures):
        own = rng.normal(0.7, a)
        for j in range(settings):
            middle = own + rng.normal(0, b)
            found += [
                run(middle + rng.normal(0, e), architecture=i, batch_size=100 * i + j, seed=seed)
                for seed in range(seeds)
            ]
    return found


def crossed(rng: np.random.Generator, architectures: int, settings: int, seeds: int) -> list[RunSummary]:
    """y = a + b + ab + e; half of the planted σ²_optimisation is the settings' own."""
    a, b, e = (np.sqrt(PLANTED[name]) for name in ("architecture", "optimisation", "stochastic"))
    common = rng.normal(0, b * np.sqrt(0.5), settings)
    found = []
    for i in range(architectures):
        own = rng.normal(0.7, a)
        for j in range(settings):
            middle = own + common[j] + rng.normal(0, b * np.sqrt(0.5))
            found += [run(middle + rng.normal(0, e), architecture=i, batch_size=j + 1, seed=s) for s in range(seeds)]
    return found


def thinned(rng: np.random.Generator, runs: list[RunSummary]) -> list[RunSummary]:
    """Without a random third."""
    return [runs[index] for index in sorted(rng.permutation(len(runs))[: 2 * len(runs) // 3])]


def component_rows(what: str, draws: int, draw: Callable[[], list[RunSummary]]) -> list[Row]:
    """Bias and coverage of each component."""
    found = [variance_components(draw()) for _ in range(draws)]
    lines = []
    for name, true in PLANTED.items():
        parts = [getattr(result, name) for result in found]
        ratio = mean_and_error([part.raw / true for part in parts])
        covered = share([part.low <= true <= part.high for part in parts])
        lines.append((f"σ² {name}, {what}", f"{ratio} of the truth", "1 (unbiased)"))
        lines.append((f"σ² {name}, {what}: 95 % interval", f"covers {covered}", "0.92 to 0.98"))
    return lines


def exponent_rows(draws: int, rng: np.random.Generator) -> list[Row]:
    """σ = 0.3 α^0.5 with a scatter of 20 %, five rates, three runs each."""
    rates = np.repeat(10.0 ** np.arange(-5, 0), 3)
    found = [
        stability_exponent(rates, 0.3 * rates**0.5 * np.exp(0.2 * rng.normal(size=len(rates)))) for _ in range(draws)
    ]
    bias = mean_and_error([result.exponent for result in found])
    covered = share([result.low <= 0.5 <= result.high for result in found])
    what = "σ ∝ α^0.5, 5 rates × 3 runs"
    return [(what, f"exponent {bias}", "0.5"), (f"{what}: 95 % interval", f"covers {covered}", "0.92 to 0.98")]


def sensitivity_rows(draws: int, rng: np.random.Generator) -> list[Row]:
    """dJ / d log₁₀ α = −0.05 and dJ / d batch = 0.002, the scatter four times as wide at the highest rate."""
    grid = [
        (name, rate, batch)
        for name in ("UNet", "AttentionUNet")
        for rate in (1e-4, 1e-3, 1e-2)
        for batch in (8, 16, 32)
        for _ in range(2)
    ]
    robust, equal = [], []
    for _ in range(draws):
        runs = [
            run(
                0.6 - 0.05 * np.log10(rate) + 0.002 * batch + (0.04 if rate == 1e-2 else 0.01) * rng.normal(),
                architecture=name,
                learning_rate=rate,
                batch_size=batch,
            )
            for name, rate, batch in grid
        ]
        robust.append(sensitivity(runs))
        equal.append(sensitivity(runs, robust=False))
    lines = []
    for name, true in (("learning_rate", -0.05), ("batch_size", 0.002)):
        for label, found in (("", robust), (", robust=False", equal)):
            slopes = [getattr(result, name) for result in found]
            covered = share([slope.low <= true <= slope.high for slope in slopes])
            wanted = "0.92 to 0.98" if not label else "for comparison"
            lines.append((f"sensitivity to {name}, unequal scatter{label}: 95 % interval", f"covers {covered}", wanted))
    return lines


def anova_rows(draws: int, rng: np.random.Generator) -> list[Row]:
    """18 runs of 3 architectures × 3 rates × 2 batches: nothing planted, and a large effect of the architecture."""
    grid = [(i, rate, batch) for i in range(3) for rate in (1e-4, 1e-3, 1e-2) for batch in (8, 16)]
    size = 0.4 * np.sqrt(1.5) * np.array([-1.0, 0.0, 1.0])  # the standard deviation of the three is 0.4
    none, large = [], []
    for _ in range(draws):
        noise = rng.normal(size=len(grid))
        for kept, effect in ((none, np.zeros(3)), (large, size)):
            runs = [
                run(effect[i] + e, architecture=i, learning_rate=rate, batch_size=batch)
                for (i, rate, batch), e in zip(grid, noise, strict=True)
            ]
            kept.append(anova(runs).effects)
    lines = [
        (
            f"ANOVA of 18 runs, no effect: p < 0.05 for {name}",
            share([effects[name].p < 0.05 for effects in none]),
            "0.05",
        )
        for name in ("architecture", "learning_rate", "batch_size")
    ]
    power = anova_power(0.4, 18, 2, 12)
    found = share([effects["architecture"].p < 0.05 for effects in large])
    return [
        *lines,
        ("ANOVA of 18 runs, large effect of the architecture: p < 0.05", found, f"{power:.3f} by its power"),
    ]


def improvement_row(draws: int, rng: np.random.Generator) -> Row:
    """A factor of 2 with a scatter of 10 % and 30 %, four runs a side."""
    found = [
        improvement_factor(0.6 * np.exp(0.1 * rng.normal(size=4)), 0.3 * np.exp(0.3 * rng.normal(size=4)))
        for _ in range(draws)
    ]
    covered = share([result.low <= 2 <= result.high for result in found])
    return ("improvement factor 2, 4 runs a side: 95 % interval", f"covers {covered}", "0.92 to 0.98")


def share(hits: list[bool]) -> str:
    """A share with its binomial standard error."""
    p = float(np.mean(hits))
    return f"{p:.3f} ± {np.sqrt(p * (1 - p) / len(hits)):.3f}"


def mean_and_error(values: list[float]) -> str:
    """A mean with its standard error."""
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1) / np.sqrt(len(values)):.3f}"
