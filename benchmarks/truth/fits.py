"""Does `fit_convergence` find the asymptote that was planted, and does it say so where a history can't tell?"""

import numpy as np
from truth._planted import ar1, share

from unetdyn.analysis import ConvergenceFit, fit_convergence

WITHIN = 0.01
# Shape, epochs, rate (of an exponential: times the epochs; of a power law: beta), noise over the range of the curve.
DETERMINABLE = [
    ("exponential", 30, 7.0, 0.03),
    ("exponential", 60, 4.0, 0.03),
    ("exponential", 60, 12.0, 0.07),
    ("exponential", 100, 7.0, 0.03),
    ("exponential", 100, 4.0, 0.007),
    ("power law", 30, 1.0, 0.015),
    ("power law", 60, 0.7, 0.015),
    ("power law", 60, 1.5, 0.04),
    ("power law", 100, 1.0, 0.04),
    ("power law", 100, 0.7, 0.003),
]
TOO_EARLY = [
    ("exponential", 30, 0.3, 0.03),
    ("exponential", 100, 0.3, 0.007),
    ("exponential", 60, 1.0, 0.03),
    ("power law", 60, 0.1, 0.007),
    ("power law", 60, 0.3, 0.03),
]


def noise(draws: int, n: int, sigma: float, phi: float, rng: np.random.Generator) -> np.ndarray:
    """Stationary noise of first order, `(draws, n)`, of standard deviation `sigma`."""
    return sigma * ar1(rng, (draws, n), phi, warm_up=100)


def planted(shape: str, n: int, rate: float, rising: bool) -> tuple[np.ndarray, float, float]:
    """The curve `(n,)`, its asymptote, and the epoch from which on it is within 1 % of it."""
    asymptote, amplitude = (0.8, -0.7) if rising else (0.3, 0.7)
    epochs, ratio = np.arange(n), 0.7 / (WITHIN * asymptote)
    if shape == "exponential":
        return asymptote + amplitude * np.exp(-rate / n * epochs), asymptote, n * np.log(ratio) / rate
    return asymptote + amplitude * (epochs + 1.0) ** -rate, asymptote, ratio ** (1 / rate) - 1


def covers(found: list[ConvergenceFit], attribute: str, truth: float) -> np.ndarray:
    return np.array([low <= truth <= high for low, high in (getattr(result, attribute) for result in found)])


def determinable_rows(draws: int, seed: int) -> list[tuple[str, str, str]]:
    rows = []
    for number, (shape, n, rate, relative) in enumerate(DETERMINABLE):
        for phi in (0.0, 0.5):
            rng = np.random.default_rng([seed, number, round(10 * phi)])
            curve, asymptote, reached = planted(shape, n, rate, rising=number % 2 == 0)
            found = fit_convergence(curve + noise(draws, n, relative * np.ptp(curve), phi, rng), within=WITHIN)
            determined = np.array([result.determined for result in found])
            rows.append(
                (
                    f"{described(shape, n, rate, relative)}, φ {phi:g}",
                    f"J∞ covered in {share(covers(found, 'asymptote_interval', asymptote))}, epochs to within 1 % in "
                    f"{share(covers(found, 'epochs_to_within_interval', reached))}; determined {share(determined)}; "
                    f"model found in {share(np.array([result.model == shape for result in found]))}",
                    "J∞ covered in 92 to 98 %",
                )
            )
    return rows


def early_rows(draws: int, seed: int) -> list[tuple[str, str, str]]:
    rows = []
    for number, (shape, n, rate, relative) in enumerate(TOO_EARLY):
        rng = np.random.default_rng([seed, 100 + number])
        curve, asymptote, _ = planted(shape, n, rate, rising=True)
        found = fit_convergence(curve + noise(draws, n, relative * np.ptp(curve), 0.0, rng))
        rows.append(
            (
                f"{described(shape, n, rate, relative)}: stopped after {np.ptp(curve) / 0.7:.0%} of the way",
                *_undetermined(found, covers(found, "asymptote_interval", asymptote)),
            )
        )
    return rows


def neither_rows(draws: int, seed: int) -> list[tuple[str, str, str]]:
    """Histories of no model's shape, of 60 epochs."""
    x = np.linspace(0, 1, 60)
    histories = {
        "overfitting: falls, then rises": (0.3 + 0.7 * np.exp(-12 * x) + 0.4 * np.maximum(x - 0.3, 0), None),
        "a drop of the learning rate after 60 %": (0.6 - 0.5 * np.exp(-12 * x) + 0.15 * (x > 0.6), None),
        "sigmoid": (0.1 + 0.7 / (1 + np.exp(-12 * (x - 0.6))), None),
        "one level": (np.full(60, 0.5), 0.5),
    }
    rows = []
    for number, (name, (curve, asymptote)) in enumerate(histories.items()):
        found = fit_convergence(curve + noise(draws, 60, 0.02, 0.3, np.random.default_rng([seed, 200 + number])))
        hits = np.zeros(draws, bool) if asymptote is None else covers(found, "asymptote_interval", asymptote)
        rows.append((f"{name}, noise 0.02, φ 0.3", *_undetermined(found, hits)))
    return rows


def take_off_rows(draws: int, seed: int) -> list[tuple[str, str, str]]:
    """A metric that takes off late, as a segmentation's does, and stays at 0.75: the exponential's tail goes on."""
    rows = []
    for n in (12, 30, 40, 60, 100):
        curve = 0.75 / (1 + np.exp(-(np.arange(n) - 4)))
        found = fit_convergence(curve + noise(draws, n, 0.01, 0.0, np.random.default_rng([seed, 250, n])))
        unbeaten = np.array([result.determined and not result.held_out.beaten for result in found])
        told, wanted = _undetermined(found, covers(found, "asymptote_interval", 0.75))
        rows.append((f"logistic take-off, {n} epochs", f"{told}; determined, unbeaten {share(unbeaten)}", wanted))
    return rows


def limit_rows(draws: int, seed: int) -> list[tuple[str, str, str]]:
    """Where the interval is known to be too narrow."""
    x = np.linspace(0, 1, 60)
    short, _, _ = planted("exponential", 12, 6.0, rising=True)
    long, _, _ = planted("exponential", 100, 6.0, rising=True)
    rng = np.random.default_rng([seed, 300])
    histories = {
        "stretched exponential, exp(−(12 t/T)^0.6), noise 0.02": (
            0.8 - 0.7 * np.exp(-((12 * x) ** 0.6)) + noise(draws, 60, 0.02, 0.0, rng)
        ),
        "stretched exponential, exp(−(8 t/T)^0.8), noise 0.01": (
            0.8 - 0.7 * np.exp(-((8 * x) ** 0.8)) + noise(draws, 60, 0.01, 0.0, rng)
        ),
        "exponential, 12 epochs, noise 0.02, φ 0.7": short + noise(draws, 12, 0.02, 0.7, rng),
        "exponential, 100 epochs, noise that grows from 0.005 to 0.05": (
            long + rng.normal(size=(draws, 100)) * np.linspace(0.005, 0.05, 100)
        ),
    }
    rows = []
    for name, values in histories.items():
        found = fit_convergence(values)
        hits = covers(found, "asymptote_interval", 0.8)
        wrong = [abs(result.asymptote - 0.8) for result, hit in zip(found, hits, strict=True) if not hit]
        missed = f"where missed, wrong by {np.median(wrong):.3f} in the median"
        rows.append((name, f"J∞ covered in {share(hits)}, {missed}; {_undetermined(found, hits)[0]}", "known limit"))
    return rows


def _undetermined(found: list[ConvergenceFit], hits: np.ndarray) -> tuple[str, str]:
    determined = np.array([result.determined for result in found])
    return (
        f"undetermined {share(~determined)}; determined and wrong {share(determined & ~hits)}",
        "wrong in 5 % at most",
    )


def described(shape: str, n: int, rate: float, relative: float) -> str:
    name = f"λT {rate:g}" if shape == "exponential" else f"β {rate:g}"
    return f"{shape}, {n} epochs, {name}, noise {100 * relative:g} % of the range"


def rows(draws: int, seed: int) -> list[tuple[str, str, str]]:
    """What was planted, what was found, what was wanted."""
    return [
        *determinable_rows(draws, seed),
        *early_rows(draws, seed),
        *neither_rows(draws, seed),
        *take_off_rows(draws, seed),
        *limit_rows(draws, seed),
    ]
