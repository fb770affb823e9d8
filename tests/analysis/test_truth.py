"""No result is true by accident: `bool` of it is its answer, yes or no, or an error."""

import dataclasses
import inspect

import numpy as np
import pytest

from unetdyn import analysis
from unetdyn.analysis.gradient_noise import NoiseScale
from unetdyn.analysis.result import Determinable, Judgement, KeyedResult, Result

RESULTS = [
    *(each for name in analysis.__all__ if inspect.isclass(each := getattr(analysis, name)) and each is not Result),
    NoiseScale,
]
RESULTS = [each for each in RESULTS if issubclass(each, Judgement) and each is not KeyedResult]

ANSWERS = {
    "Criterion": ({"since": 3}, {"since": None}),
    "StabilityCriterion": ({"since": 3}, {"since": None}),
    "ChangeCriterion": ({"since": 0}, {"since": None}),
    "SlopeCriterion": ({"since": 3}, {"since": None}),
    "GradientCriterion": ({"since": 3}, {"since": None}),
    "ImprovementCriterion": ({"since": 3}, {"since": None}),
    "Convergence": tuple({"slope": analysis.Criterion("loss", "", "", None, since)} for since in (3, None)),
    "Oscillation": ({"kind": "cycle"}, {"kind": None}),
    "Overfitting": ({"onset": 0}, {"onset": None}),
    "DoubleDescent": ({"p_value": 0.001, "alpha": 0.01}, {"p_value": 0.2, "alpha": 0.01}),
    "Collapses": ({"events": (1,), "epochs": 9}, {"events": (), "epochs": 9}),
    "MissingCells": ({"missing": ("a cell",)}, {"missing": ()}),
    "BestWithin": ({"best": "a run"}, {"best": None}),
}
"""By name, what a result holds whose answer is yes, and one whose answer is no. Those that are not here have none."""

ALWAYS = ("DoubleDescentFit",)  # where it is determined, there is one
DETERMINED = {"Stability": {"label": "Good"}}
UNDETERMINED = {"Stability": {"label": None, "values": (), "window": 10}, "Collapses": {"events": (), "epochs": 1}}
"""Of those whose `reason` is made from other attributes."""


def made(cls, **attributes):
    """A result of these attributes only."""
    result = object.__new__(cls)
    if any(field.name == "reason" for field in dataclasses.fields(cls)):
        attributes = {"reason": ""} | attributes
    for name, value in attributes.items():
        object.__setattr__(result, name, value)
    return result


@pytest.mark.parametrize("cls", RESULTS)
def test_a_result_is_what_it_found_or_raises(cls):
    if cls.__name__ in ANSWERS:
        assert [bool(made(cls, **held)) for held in ANSWERS[cls.__name__]] == [True, False]
    elif cls.__name__ in ALWAYS or issubclass(cls, KeyedResult):  # a dictionary that is not empty
        assert bool(made(cls))
    else:
        with pytest.raises(TypeError, match=f"`{cls.__name__}` is neither true nor false: ask for one of its"):
            bool(made(cls, **DETERMINED.get(cls.__name__, {})))


@pytest.mark.parametrize("cls", [each for each in RESULTS if issubclass(each, Determinable)])
def test_what_is_undetermined_is_no_no(cls):
    result = made(cls, **UNDETERMINED.get(cls.__name__, {"reason": "there is no epoch"}))
    said = rf"`{cls.__name__}` is undetermined, neither true nor false: .*\. Ask for its `determined` first\."
    with pytest.raises(ValueError, match=said):
        bool(result)


def test_every_kind_of_result_was_looked_at():
    assert {each.__name__ for each in RESULTS} >= ANSWERS.keys() | {"Diagnosis", "ConvergenceFit", "Anova", "Stability"}


def test_if_converged_reads_as_it_should():
    wave = np.array([-1.0, 1.0] * 5)
    flat = {"val_loss": 0.3 + 0.01 * wave, "val_jaccard": 0.8 + 0.001 * wave}
    assert analysis.converged_by_stability(flat)
    assert not analysis.converged_by_stability(flat | {"val_loss": 0.3 + 0.1 * wave})
    short = {name: values[:9] for name, values in flat.items()}
    with pytest.raises(ValueError, match=r"`StabilityCriterion` is undetermined, .*: 9 of the 10 epochs that it needs"):
        bool(analysis.converged_by_stability(short))
    with pytest.raises(ValueError, match="`SlopeCriterion` is undetermined"):
        bool(analysis.convergence(flat))
