"""Evidence in, findings out: what a run has logged and recorded, and what is to be thought of it.

`Evidence.read` takes a run, a History or a CSV file; `diagnose` judges the outcome by `symptoms/`, looks for what has
caused it by `causes/`, and weighs the two in `verdict`. `messages/` is what each monitor tells while a training goes
on, and `findings_of_events` what a run's events say afterwards.

A monitor needs no more than its own message: each name here loads what it needs when it is first asked for.
"""

from typing import TYPE_CHECKING

from unetdyn._lazy import load_when_asked

if TYPE_CHECKING:
    from unetdyn.analysis.diagnosis.events import findings_of_events
    from unetdyn.analysis.diagnosis.evidence import Evidence
    from unetdyn.analysis.diagnosis.finding import Finding
    from unetdyn.analysis.diagnosis.registry import rules_in_words
    from unetdyn.analysis.diagnosis.verdict import Diagnosis, diagnose

__all__ = ["Diagnosis", "Evidence", "Finding", "diagnose", "findings_of_events", "rules_in_words"]

_MODULES = {
    "Diagnosis": "verdict",
    "Evidence": "evidence",
    "Finding": "finding",
    "diagnose": "verdict",
    "findings_of_events": "events",
    "rules_in_words": "registry",
}

if not TYPE_CHECKING:  # a type checker that saw `__getattr__` would let any misspelt name pass
    __getattr__, __dir__ = load_when_asked(__name__, _MODULES)
