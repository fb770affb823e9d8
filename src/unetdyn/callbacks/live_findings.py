"""What the rules of diagnosis find of a training that goes on: what begins to hold, and what is over."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from unetdyn._checks import nearest
from unetdyn.analysis import Curves, diagnosis
from unetdyn.analysis.curves import stages_of
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.stages import comparable, loss_since
from unetdyn.callbacks.logged_number import logged_number
from unetdyn.callbacks.monitor import Recorded
from unetdyn.callbacks.run_recorder import RunRecorder

if TYPE_CHECKING:
    from unetdyn.analysis.diagnosis import Diagnosis, Evidence


class LiveFindings:
    """Applies the rules to what a `RunRecorder` has recorded so far; no file is read.

    Args:
        recorder: The recorder of the training.
        metric: The metric that performance is read from; None (default) takes what the rules take.
        window: Over how many of the last epochs the end is judged.

    Attributes:
        holding: What holds: the epoch since when, from 0, and the `Finding`, by code and name.

    Example:
        >>> import tempfile
        >>> recorder = RunRecorder(tempfile.mkdtemp())
        >>> live = LiveFindings(recorder)
        >>> recorder.epochs.extend([{"epoch": 0, "loss": 0.5}, {"epoch": 1, "loss": float("nan")}])
        >>> live.diagnosis().word
        'Ill'
        >>> begun, over = live.look(epoch=1)
        >>> [finding.code for finding in begun], over
        (['loss.nonfinite'], [])
    """

    def __init__(self, recorder: RunRecorder, metric: str | None = None, window: int = 10) -> None:
        self.recorder = recorder
        self.metric = metric
        self.window = window
        self.restart()

    def restart(self) -> None:
        """Forget an earlier training."""
        self.holding: dict[tuple[str, str], tuple[int, Finding]] = {}

    def get_state(self) -> dict[str, Any]:
        """What holds, for another process that goes on with the training."""
        return {"holding": [(since, found.get_state()) for since, found in self.holding.values()]}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there.

        Args:
            state: From `get_state`.
        """
        holding = [(since, Finding(**found)) for since, found in state["holding"]]
        self.holding = {(found.code, found.name): (since, found) for since, found in holding}

    def diagnosis(self) -> "Diagnosis":
        """What the rules say of what there is so far."""
        return diagnosis.diagnose(evidence_so_far(self.recorder, self.metric, self.window))

    def look(self, epoch: int) -> tuple[list[Finding], list[Finding]]:
        """Apply the rules.

        Args:
            epoch: The epoch that has ended, from 0.

        Returns:
            The findings of the headline that did not hold before; and those that no longer do.
        """
        now = {(found.code, found.name): found for found in self.diagnosis().headline}
        begun = [found for key, found in now.items() if key not in self.holding]
        over = [found for key, (_, found) in self.holding.items() if key not in now]
        self.holding = {key: (self.holding.get(key, (epoch,))[0], found) for key, found in now.items()}
        return begun, over


def evidence_so_far(recorder: RunRecorder, metric: str | None = None, window: int = 10) -> "Evidence":
    """What a training has left up to now, as `Evidence.read` would give it of the run directory.

    Args:
        recorder: Of the training.
        metric: The metric that performance is read from, as long as it was logged; else the default.
        window: Over how many of the last epochs the end is judged.
    """
    logged: dict[str, list[tuple[int, float]]] = {}
    for row in recorder.epochs:
        for name, value in row.items():
            number = None if isinstance(value, str) else logged_number(value)
            if name != "epoch" and number is not None:
                logged.setdefault(name, []).append((row["epoch"], number))
    columns = {name: np.array(rows, dtype=np.float64).T for name, rows in logged.items()}
    curves = Curves(
        {name: (epochs.astype(np.int64), values) for name, (epochs, values) in columns.items()},
        recorder.path.name,
        recorder.log_keys,
        stages_of(recorder.stages),
    )
    base = None if metric is None else metric.removeprefix("val_")
    known = base is not None and not {base, f"val_{base}"}.isdisjoint(curves)
    since = loss_since(recorder.stages, curves)
    return diagnosis.Evidence(
        comparable(curves, since),
        curves.metric(base) if known and base is not None else curves.default_metric,
        window,
        status=recorder.writer.status,
        epochs=len(recorder.epochs),
        events=recorder.events,
        records=_Records(recorder.monitors),
        setup=recorder.setup,
        loss_since=since,
    )


def check_codes(argument: str, codes: Iterable[str]) -> tuple[str, ...]:
    """Refuse what is no code of a finding, nor one of the parts between its dots.

    >>> check_codes("stop_on", ["nonfinite", "gradient.exploding"])
    ('nonfinite', 'gradient.exploding')
    >>> check_codes("stop_on", "nonfinit")
    Traceback (most recent call last):
    ValueError: `stop_on` must name codes of findings, or parts of some. Received: 'nonfinit'. Did you mean 'nonfinite'?
    """
    # Here, not above: the rules load every analysis.
    from unetdyn.analysis.diagnosis.registry import RULES

    given = (codes,) if isinstance(codes, str) else tuple(codes)
    known = dict.fromkeys(limit.code for rule in RULES for limit in rule.LIMITS)
    known |= dict.fromkeys(part for code in list(known) for part in code.split("."))
    for code in given:
        if code not in known:
            raise ValueError(
                f"`{argument}` must name codes of findings, or parts of some. Received: {code!r}.{nearest(code, known)}"
            )
    return given


def is_among(finding: Finding, codes: Iterable[str]) -> bool:
    """Whether its code, or a part of it, is one of these; a cause of low confidence never is.

    >>> is_among(Finding("loss.nonfinite", "ill", "loss", "NaN."), ["nonfinite"])
    True
    """
    sure = finding.confidence != "low"
    return sure and not {finding.code, *finding.code.split(".")}.isdisjoint(codes)


class _Records(Mapping[str, Any]):
    """The records of monitors by name, made when asked for, and kept."""

    def __init__(self, monitors: Iterable[Recorded]) -> None:
        self._monitors = {monitor.name: monitor for monitor in monitors}
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._monitors[name].record
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._monitors)

    def __len__(self) -> int:
        return len(self._monitors)
