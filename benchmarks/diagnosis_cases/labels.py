"""`label.json`: what is known of a case, beside its record."""

import json
from pathlib import Path
from typing import Any

from .cases import Case


def write_label(folder: Path, label: dict[str, Any]) -> None:
    """Write `label.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "label.json").write_text(json.dumps(label, indent=1))


def label_of(case: Case) -> dict[str, Any]:
    """What is known of a case before it is trained."""
    fault = case.fault
    return {
        "id": case.id,
        "family": case.family,
        "severity": case.severity,
        "seed": case.seed,
        "net": case.net,
        "data": case.data,
        "backend": case.backend,
        "healthy": case.healthy or case.mended,
        "mended": case.mended,
        "accepted": list(fault.accepted) if fault and not case.mended else [],
        "advice_recipe": fault.advice if fault else "",
        "twin": fault.twin if fault else "plain",
        "outcome": fault.outcome if fault else "test",
        "test_jaccard": None,
        "final_val_jaccard": None,
        "clean_val_jaccard": None,
        "error": "",
    }
