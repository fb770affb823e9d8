"""The rules together: all of them registered, each with its words, and the text that explains them."""

import math
import pkgutil
import subprocess
import sys
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from planted_runs import CALM, EPOCHS, gradients, jumping, planted
from unetdyn.analysis.diagnosis import Evidence, causes, rules_in_words, symptoms
from unetdyn.analysis.diagnosis.finding import CONFIDENCES, LEVELS, TROUBLE
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB
from unetdyn.analysis.diagnosis.registry import CAUSES, RULES, SYMPTOMS

LIMITS = [limit for rule in RULES for limit in rule.LIMITS]
OF_CAUSES = [limit for rule in CAUSES for limit in rule.LIMITS]


@pytest.mark.parametrize(
    ("package", "registered"), [(symptoms, SYMPTOMS), (causes, CAUSES)], ids=["symptoms", "causes"]
)
def test_every_rule_in_the_folder_is_registered_once(package, registered):
    names = [module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_")]
    modules = [import_module(f"{package.__name__}.{name}") for name in names]
    assert len(registered) == len(modules)
    assert set(registered) == set(modules)
    assert all(module.__doc__ and len(module.__doc__.splitlines()[0]) > 10 for module in modules)


def test_no_two_rules_share_a_code():
    codes = [code for rule in RULES for code in {limit.code for limit in rule.LIMITS}]
    assert len(codes) == len(set(codes))


def test_causes_explain_what_rules_find():
    codes = {limit.code for limit in LIMITS}
    for limit in OF_CAUSES:
        for pattern in limit.explains:
            assert any(code.startswith(pattern) if pattern.endswith(".") else code == pattern for code in codes), limit


def test_symptoms_explain_nothing():
    assert not [limit.code for rule in SYMPTOMS for limit in rule.LIMITS if limit.explains or limit.alone]


@pytest.mark.parametrize("limit", [limit for limit in LIMITS if limit.threshold], ids=lambda limit: limit.code)
def test_every_threshold_has_its_source_a_change_what_that_should_do_and_when_it_is_not_so(limit):
    assert limit.subject
    assert limit.source
    assert limit.advice
    assert limit.expected
    assert limit.refuted or limit.normal
    for words in (limit.advice, limit.expected, limit.refuted, limit.normal):
        assert words == words.strip()
        assert not words or words.endswith(".")
    assert not (limit.watch + limit.ill).endswith(".")


@pytest.mark.parametrize("limit", [limit for limit in OF_CAUSES if limit.threshold], ids=lambda limit: limit.code)
def test_every_cause_explains_something_or_stands_alone(limit):
    assert limit.explains or limit.alone  # else it could never be more than an observation


def test_symptoms_come_in_the_order_of_a_page():
    """Of those that are as bad: the training failed, its loss, how good it got, and last how calm it was."""
    names = [rule.__name__.split(".")[-1] for rule in SYMPTOMS]
    assert names == sorted(names, key=["ended", "losses", "metric_level", "impossible", "swings", "gap",
                                       "training_short", "stability"].index)  # fmt: skip


@pytest.mark.parametrize(
    "names",
    [
        ("values", "labels", "foreground", "loss_choice", "initialisation", "dead", "statistics_lag", "sets_differ"),
        ("statistics_lag", "shuffled", "background", "label_noise", "learning_rate", "exploding"),
        ("learning_rate", "overfitting", "threshold_flips"),
        ("dead", "vanishing", "learning_rate"),
        ("statistics_lag", "nonfinite", "learning_rate"),
    ],
)
def test_what_comes_first_in_a_training_is_named_before_what_comes_of_it(names):
    """Of causes that are as sure: the data, then the network, its statistics, the rate, and last what it comes to."""
    places = [rule.__name__.split(".")[-1] for rule in CAUSES]
    assert sorted(names, key=places.index) == list(names)


def test_needs_name_who_supplies_them():
    needs = [need for rule in RULES for need in getattr(rule, "NEEDS", ())]
    assert needs
    for need in needs:
        assert bool(need.arrays) != bool(need.setup)
        assert need.supplier.endswith("Recorder" if need.setup else "Monitor")


EVIDENCE = [
    Evidence.read({"loss": [1.0]}),
    Evidence.read({"loss": [math.nan] * 3}),
    Evidence.read({"loss": [1.0, 0.5], "val_jaccard": [0.1]}),
    planted(),
    replace(planted(), status="failed"),
    replace(planted(), status="running"),
    planted(loss=np.full(EPOCHS, 0.69), val_loss=jumping(1.0), val_jaccard=np.full(EPOCHS, math.nan)),
    planted(loss=np.linspace(0.3, 0.4, EPOCHS), val_loss=0.69 + CALM, val_jaccard=jumping(0.2)),
    planted(grad_exploding=np.ones(EPOCHS), grad_vanishing_blocks=np.ones(EPOCHS), update_ratio_log10=-CALM),
    planted({"mine": gradients(640, applied=False)}, grad_nonfinite=np.ones(EPOCHS)),
]


@pytest.mark.parametrize("evidence", EVIDENCE)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.split(".")[-1])
def test_findings_are_of_the_rules_codes_and_levels_and_give_their_reasons(rule, evidence):
    for found in rule.find(evidence):
        limit = next(limit for limit in rule.LIMITS if (limit.code, limit.threshold) == (found.code, found.threshold))
        assert found.level in LEVELS
        assert found.name
        assert found.seen
        assert all(name in evidence.curves for name in found.curves)
        assert all(0 <= first <= last for first, last in found.epochs)
        if found.level in TROUBLE:
            assert found.why
            assert found.source
            assert getattr(limit, found.level)
        if rule in CAUSES and found.level in TROUBLE:
            assert found.confidence in CONFIDENCES[1:]
        if rule in SYMPTOMS:
            assert not found.confidence


def test_text_of_the_rules_has_every_symptom_that_makes_ill():
    text = rules_in_words()
    of_ill = [limit for rule in SYMPTOMS for limit in rule.LIMITS if limit.ill]
    for limit in of_ill:
        assert limit.subject in text
        assert limit.ill in text
    for limit in of_ill:
        assert RULE_OF_THUMB in limit.source or f"{limit.subject} ({limit.source})" in text
    assert not any(limit.ill in text for limit in OF_CAUSES if limit.ill)


def test_thresholds_and_messages_load_no_rule_that_they_do_not_need():
    code = (
        "import sys; from unetdyn.analysis.diagnosis.symptoms.swings import HALF;"
        "print(sorted(name for name in sys.modules if name.startswith(('unetdyn.analysis.diagnosis.symptoms',"
        "'unetdyn.analysis.diagnosis.causes'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = [f"unetdyn.analysis.diagnosis.symptoms{name}" for name in ("", "._few_images", ".swings")]
    assert done.stdout.strip() == str(expected)
