"""How much runs differ by their seed alone: from runs that there are, or assumed, with the source."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unetdyn.analysis.comparison.components import variance_components
from unetdyn.analysis.comparison.many_runs import as_summaries
from unetdyn.analysis.comparison.summary import NOT_SETTINGS, RunSummary, summarise
from unetdyn.analysis.result import interval, number
from unetdyn.sweeps.table import FILE, SweepError, open_sweep

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Noise:
    """A standard deviation between runs that differ in their seed alone.

    Attributes:
        sigma: Of the best validation metric, above 0.
        source: In words, where it is from, and how sure it is.
    """

    sigma: float
    source: str


ASSUMED = Noise(
    0.027,
    "σ between seeds is assumed to be 0.027 in the best validation Jaccard, as 20 trainings of small nets had it "
    "(docs/controls.md, without a control: 0.022 to 0.031 in four set-ups; the studies repeated no run); yours may "
    "differ by far: --variance-from RUNS takes it from your own",
)
"""Pooled over 4 set-ups × 5 seeds of `benchmarks/truth/controls.json`; those of a wild rate are not counted."""


def noise_of(paths: Sequence[str | Path]) -> Noise:
    """σ between seeds, from runs that were repeated with other seeds.

    Args:
        paths: Run directories, and folders of sweeps, whose runs are taken as far as they are there.

    Returns:
        σ_stochastic of `unetdyn.analysis.variance_components`, its settings being all in which the runs differ.

    Raises:
        SweepError: If no settings were run with two seeds, or runs don't differ at all.
        ValueError: If one is no run.

    Example:
        >>> import tempfile
        >>> from unetdyn.runs import RunWriter
        >>> paths = []
        >>> for seed, jaccard in enumerate([0.60, 0.64, 0.62]):
        ...     config = {"model": {"architecture": "UNet"}}
        ...     writer = RunWriter(tempfile.mkdtemp() + "/run", config=config, seed=seed)
        ...     writer.log_epoch(0, {"val_jaccard": jaccard})
        ...     writer.finish()
        ...     paths.append(writer.path)
        >>> round(noise_of(paths).sigma, 6)
        0.02
    """
    runs = [run for path in paths for run in _runs_in(Path(path))]
    if not runs:
        raise SweepError(f"`--variance-from` must have runs. Received: {', '.join(map(str, paths))}, where none began.")
    summaries = [_with_architecture(run) for run in as_summaries(runs)]
    settings = [name for name in _varied(summaries) if name != "architecture"]
    found = variance_components(summaries, settings=settings, confidence=_CONFIDENCE).stochastic
    if not found.determined or not found.variance > 0:
        why = found.reason or "runs that differ in their seed alone do not differ at all"
        raise SweepError(
            f"`--variance-from` must have runs that were repeated with other seeds. Received: {len(runs)} runs, of "
            f"which σ can't be told: {why}. Leave it out for an assumed σ."
        )
    sigma, low, high = (value**0.5 for value in (found.variance, found.low, found.high))
    watched = next((run.watched for run in summaries if run.watched), "the metric")
    source = (
        f"σ between seeds is {number(sigma)} in the best {watched} ({100 * _CONFIDENCE:g} %: {interval(low, high)}), "
        f"from {len(runs)} runs"
    )
    return Noise(sigma, source)


def _runs_in(path: Path) -> list[Path]:
    if not (path / FILE).is_file():
        return [path]
    sweep = open_sweep(path)
    folders = [sweep.run_path(row.number) for row in sweep.rows]
    return [folder for folder in folders if (folder / "run.json").is_file()]


def _with_architecture(run: RunSummary) -> RunSummary:
    """With the factor that the components ask for, also where no run says its architecture."""
    return summarise(run, factors={"architecture": run.factors.get("architecture")})


def _varied(summaries: Sequence[RunSummary]) -> list[str]:
    """Every setting with two values or more; a run that lacks it has another value than one that has it."""
    names = dict.fromkeys(name for run in summaries for name in run.factors if name not in NOT_SETTINGS)
    return [name for name in names if len({run.factors.get(name) for run in summaries}) > 1]
