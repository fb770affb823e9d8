"""How a run ended, if it did."""

from collections.abc import Iterator

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import Limit

FINISHED = Limit("run.finished")
FAILED = Limit(
    "run.failed",
    "it",
    ill="failed",
    advice="read the error; where it names no cause, train one epoch on two images with the same code.",
    expected="the training comes to its end.",
    normal="where it was made to fail, as in a test.",
)
INTERRUPTED = Limit("run.interrupted")
UNFINISHED = Limit("run.unfinished")
LIMITS = (FINISHED, FAILED, INTERRUPTED, UNFINISHED)

_NAME = "ended"


def find(evidence: Evidence) -> Iterator[Finding]:
    """Whether it came to its end; of a History or a CSV file nothing is known of that."""
    epochs = f"{evidence.epochs} epoch{'s' if evidence.epochs != 1 else ''}"
    if evidence.status is None:
        return
    if evidence.status == "finished":
        yield FINISHED.finding("good", _NAME, f"finished after {epochs}")
    elif evidence.status == "failed":
        error = evidence.error or "no error was recorded"
        yield FAILED.finding("ill", _NAME, f"failed after {epochs}: {error}", f"it failed after {epochs}")
    elif evidence.status == "interrupted":
        yield INTERRUPTED.finding("info", _NAME, f"interrupted after {epochs}")
    else:
        text = f"still running, or killed, after {epochs}"
        yield UNFINISHED.finding("info", _NAME, text)
