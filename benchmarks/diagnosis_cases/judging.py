"""What the diagnosis, and each published rule set, says of a recorded training, whole or cut off at an epoch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from unetdyn.analysis import Curves
from unetdyn.analysis.diagnosis import Evidence, diagnose

from .replanted import FAULTS
from .rule_sets import CAUSES, RULE_SETS

TROUBLE = ("watch", "ill")
WITH_MONITORS = "unetdyn, every monitor"
WITH_HISTORY = "unetdyn, History only"
JUDGES = (WITH_MONITORS, WITH_HISTORY, *RULE_SETS)

_HISTORY = ("loss", "jaccard", "soft_jaccard", "binary_accuracy")


@dataclass(frozen=True)
class Verdict:
    """What was said.

    Attributes:
        level: The worst of it.
        first: Codes of the first cause: one from the diagnosis, from a published rule all that its name may mean.
        codes: Each code at watch or ill, and its level.
    """

    level: str
    first: tuple[str, ...]
    codes: Mapping[str, str]

    @property
    def alarms(self) -> bool:
        """Whether anybody would look."""
        return self.level in TROUBLE

    def names(self, accepted: list[str]) -> bool:
        """Whether the first cause is one of these."""
        return self.alarms and not set(self.first).isdisjoint(accepted)


@dataclass(frozen=True)
class Judged:
    """A run's label and what each judge says of it."""

    label: Mapping[str, Any]
    verdicts: Mapping[str, Verdict]
    epochs_to_right: int | None = None


def judge(folder: Path, prefixes: bool = False) -> Judged:
    """Read a run and ask every judge.

    Args:
        folder: A run directory with `label.json`.
        prefixes: Also after how many epochs the right cause is first named, by replaying the record.
    """
    label = _label(folder)
    try:
        evidence = Evidence.read(folder)
        plain = Evidence.read({name: list(curve.values) for name, curve in _history(evidence.curves).items()})
    except (ValueError, FileNotFoundError) as error:  # it ended before its first epoch did
        nothing = Verdict("unknown", (), {"unread": str(error)})
        return Judged(label, dict.fromkeys(JUDGES, nothing))
    if label["test_jaccard"] is not None:  # as every experiment of ours ends with
        evidence = replace(evidence, tested={"jaccard": label["test_jaccard"]})
    verdicts = {WITH_MONITORS: _diagnosed(evidence), WITH_HISTORY: _diagnosed(plain)}
    for name, rules in RULE_SETS.items():
        found = rules(evidence)
        causes = CAUSES[found[0]] if found else ()
        verdicts[name] = Verdict("ill" if found else "good", causes, dict.fromkeys(found, "ill"))
    return Judged(label, verdicts, _epochs_to_right(evidence, label["accepted"]) if prefixes else None)


def _label(folder: Path) -> dict[str, Any]:
    """The label, with what counts as right as it is defined today: that may change without another training."""
    label = json.loads((folder / "label.json").read_text())
    fault = FAULTS.get(label["family"])
    if fault is not None:
        accepted = [] if label["mended"] else list(fault.accepted)
        label |= {"accepted": accepted, "twin": fault.twin, "outcome": fault.outcome}
    return label


def _history(curves: Curves) -> dict[str, Any]:
    """What Keras' own History would have."""
    wanted = {f"{prefix}{name}" for name in _HISTORY for prefix in ("", "val_")}
    return {name: curve for name, curve in curves.items() if name in wanted}


def _diagnosed(evidence: Evidence) -> Verdict:
    try:
        found = diagnose(evidence)
    except Exception as error:  # to be seen in the table as what it is
        return Verdict("unknown", (), {f"crash.{type(error).__name__}": "ill"})
    troubles = [finding for level in ("ill", "watch") for finding in found.findings if finding.level == level]
    headline = getattr(found, "headline", None)
    headline = troubles if headline is None else headline
    first = (headline[0].code,) if headline else ()
    codes: dict[str, str] = {}
    for finding in (*headline, *troubles):
        codes.setdefault(finding.code, finding.level)
    return Verdict(found.level, first, codes)


def _epochs_to_right(evidence: Evidence, accepted: list[str]) -> int | None:
    for epochs in range(1, evidence.epochs + 1):
        if _diagnosed(cut(evidence, epochs)).names(accepted):
            return epochs
    return None


def cut(evidence: Evidence, epochs: int) -> Evidence:
    """What was known after so many epochs."""
    curves = {name: (when[when < epochs], values[when < epochs]) for name, (when, values) in evidence.curves.items()}
    curves = {name: columns for name, columns in curves.items() if len(columns[0])}
    steps = _steps(evidence, epochs)
    over = epochs < evidence.epochs
    return replace(
        evidence,
        curves=Curves(curves, evidence.curves.source, evidence.curves.log_keys),
        status="running" if over else evidence.status,
        error="" if over else evidence.error,
        epochs=epochs,
        events=[event for event in evidence.events if event.get("epoch", 0 if not over else -1) < epochs],
        records={name: _cut_record(record, epochs, steps) for name, record in evidence.records.items()},
    )


def _steps(evidence: Evidence, epochs: int) -> int:
    record = evidence.record("step", "epoch")
    if not record:
        return 2**62
    within = np.asarray(record["step"])[np.asarray(record["epoch"]) < epochs]
    return int(within.max()) + 1 if len(within) else 0


def _cut_record(record: Mapping[str, Any], epochs: int, steps: int) -> dict[str, Any]:
    if "epoch" in record:
        kept = np.asarray(record["epoch"]) < epochs
    elif "step" in record:
        kept = np.asarray(record["step"]) < steps
    else:
        return dict(record)

    def cut_value(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: cut_value(each) for name, each in value.items()}
        value = np.asarray(value)
        return value[kept] if value.ndim and len(value) == len(kept) else value

    return {name: cut_value(value) for name, value in record.items()}
