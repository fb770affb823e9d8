"""The samplers of a search, whose draws depend on a trial's number, not on which worker asks for it."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from unetdyn.sweeps.optional import optuna
from unetdyn.sweeps.table import SweepError

_NEEDS = {"cmaes": "cmaes", "gp": "torch"}


def sampler_of(name: str, seed: int) -> Any:
    """A sampler of Optuna.

    Args:
        name: `"tpe"`, `"random"`, `"cmaes"`, `"gp"`, `"qmc"` or `"nsgaii"`.
        seed: Of its draws.

    Returns:
        One that draws the same in a trial of the same number after the same trials, in whatever process.

    Raises:
        SweepError: If it needs a package that is not here.

    Example:
        >>> optuna.logging.set_verbosity(optuna.logging.ERROR)
        >>> space = {"x": optuna.distributions.FloatDistribution(0, 1)}
        >>> def first(trials):
        ...     study = optuna.create_study(sampler=sampler_of("random", 0))
        ...     return [study.ask(space).params["x"] for _ in range(trials)]
        >>> first(2) == first(3)[:2], len(set(first(3)))
        (True, 3)
    """
    needed = _NEEDS.get(name)
    if needed is not None and find_spec(needed) is None:
        raise SweepError(f"`sampler: {name}` needs the package {needed}: pip install {needed}; or take tpe.")
    samplers = optuna.samplers
    if name == "qmc":  # its points are those of one sequence, of which each worker must know the same
        return samplers.QMCSampler(
            scramble=True, seed=seed, warn_independent_sampling=False, warn_asynchronous_seeding=False
        )
    made: dict[str, Callable[[int], Any]] = {
        "tpe": lambda drawn: samplers.TPESampler(seed=drawn, constant_liar=True),  # others may be running
        "random": lambda drawn: samplers.RandomSampler(seed=drawn),
        "cmaes": lambda drawn: samplers.CmaEsSampler(seed=drawn, warn_independent_sampling=False),
        "gp": lambda drawn: samplers.GPSampler(seed=drawn),
        "nsgaii": lambda drawn: samplers.NSGAIISampler(seed=drawn),
    }
    return SeededByNumber(made[name], seed)


class SeededByNumber(optuna.samplers.BaseSampler):
    """A sampler made anew for each trial, with a seed of its number.

    With one seed for all, each worker that starts, or starts again, would draw what the first one drew.

    Args:
        make: Makes the sampler, of a seed.
        seed: From which, with a trial's number, that seed comes.
    """

    def __init__(self, make: Callable[[int], Any], seed: int) -> None:
        self._make, self._seed = make, seed
        self._sampler = make(seed)

    def before_trial(self, study: Any, trial: Any) -> None:
        """Make it anew."""
        self._sampler = self._make(int(np.random.SeedSequence([self._seed, trial.number]).generate_state(1)[0]))
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
        """As the sampler does."""
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(self, study: Any, trial: Any, search_space: dict[str, Any]) -> dict[str, Any]:
        """As the sampler does."""
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
        """As the sampler does."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
        """As the sampler does."""
        self._sampler.after_trial(study, trial, state, values)
