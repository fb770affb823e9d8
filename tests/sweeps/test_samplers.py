"""Samplers draw by a trial's number, so that workers differ and a search can be repeated."""

import warnings

import pytest

optuna = pytest.importorskip("optuna")

from unetdyn.sweeps import samplers  # noqa: E402
from unetdyn.sweeps.samplers import sampler_of  # noqa: E402
from unetdyn.sweeps.table import SweepError  # noqa: E402

SPACE = {
    "x": optuna.distributions.FloatDistribution(1e-4, 1, log=True),
    "y": optuna.distributions.FloatDistribution(0, 1),
}


@pytest.fixture(autouse=True)
def _silent():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def drawn(name, workers, trials=14):
    """Each trial by one of several workers in turn, each with a sampler of its own."""
    storage = optuna.storages.InMemoryStorage()
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        studies = [
            optuna.create_study(study_name="a", storage=storage, sampler=sampler_of(name, 3), load_if_exists=True)
            for _ in range(workers)
        ]
        for number in range(trials):
            trial = studies[number % workers].ask(SPACE)
            studies[number % workers].tell(trial, trial.params["y"] - trial.params["x"])
            found.append((trial.params["x"], trial.params["y"]))
    return found


@pytest.mark.parametrize("name", ["tpe", "random", "nsgaii", "qmc"])
def test_trials_are_the_same_however_many_workers_there_are(name):
    one, three = drawn(name, 1), drawn(name, 3)
    assert one == three
    assert len(set(one)) == len(one)


@pytest.mark.parametrize(("name", "package"), [("cmaes", "cmaes"), ("gp", "torch")])
def test_sampler_whose_package_is_missing_is_one_sentence(monkeypatch, name, package):
    monkeypatch.setattr(samplers, "find_spec", lambda wanted: None if wanted == package else object())
    with pytest.raises(SweepError, match=f"`sampler: {name}` needs the package {package}: pip install {package}"):
        sampler_of(name, 0)
