"""A pruner for Optuna that ends what has diverged, is restless, or is heading to less than others have reached."""

from collections.abc import Callable

import numpy as np

from unetdyn.sweeps.optional import optuna
from unetdyn.sweeps.pruning_signals import EVERY, FINISHED, RATE, WARMUP, PruningRule, TrialRecord, reason_to_prune

Records = Callable[["optuna.trial.FrozenTrial"], TrialRecord]


class StabilityPruner(optuna.pruners.BasePruner):
    """Ends trials by the records of their trainings: divergence, instability and convergence are its signals.

    What it looks at, and what it never ends, says `unetdyn.sweeps.pruning_signals.reason_to_prune`. Against Optuna's
    own pruners, which compare values of one epoch, it asks where a curve is heading to: one that rises slowly and ends
    high is left alone.

    *How often it ends an eventual winner* is its `rate`, at most: at 0.05, 4 of 520 searches of planted learning curves
    of eight families (0.8 %; 95 % interval 0.2 to 2.0 %), and a fifth of the epochs is saved. On the same curves
    `MedianPruner` ends 48 % and `HyperbandPruner` 52 % of the winners, and saves 64 and 62 % (docs/sweeps_search.md).

    Args:
        rate: The most often that an eventual winner may be ended. Default 0.05.
        warmup: Epochs that each trial has, ≥ 10. Default 15.
        every: Epochs from one look to the next. Default 5.
        finished: Trials that must have been finished before any is ended. Default 5.
        records: Makes of a trial what is known of its training. Default None: the values that were reported by
            `trial.report`, one an epoch, without a loss.

    Attributes:
        why: Number of a trial → the `Signal` for which it was to be ended.

    Raises:
        ImportError: When this module is imported, where Optuna is missing.
        ValueError: If an argument is out of its range.

    Example:
        >>> import optuna
        >>> optuna.logging.set_verbosity(optuna.logging.ERROR)
        >>> def objective(trial):
        ...     end = trial.suggest_float("end", 0, 1)
        ...     for epoch in range(40):
        ...         trial.report(end * (1 - np.exp(-epoch / 5)), epoch)
        ...         if trial.should_prune():
        ...             raise optuna.TrialPruned()
        ...     return end
        >>> sampler = optuna.samplers.RandomSampler(seed=0)
        >>> study = optuna.create_study(direction="maximize", sampler=sampler, pruner=StabilityPruner())
        >>> study.optimize(objective, n_trials=12)
        >>> [each.number for each in study.trials if each.state.name == "PRUNED"]
        [5, 6, 9, 10, 11]

    Reference:
        The rate: measured by `benchmarks/pruning_truth.py`.
    """

    def __init__(
        self,
        rate: float = RATE,
        warmup: int = WARMUP,
        every: int = EVERY,
        finished: int = FINISHED,
        records: Records | None = None,
    ) -> None:
        self.rule = PruningRule(rate, warmup, every, finished)
        self.why: dict[int, object] = {}
        self._records = records
        self._finished: dict[int, TrialRecord] = {}

    def prune(self, study: "optuna.study.Study", trial: "optuna.trial.FrozenTrial") -> bool:
        """Whether a trial should be ended, by what is known of it now."""
        if trial.last_step is None:
            return False
        maximize = study.direction == optuna.study.StudyDirection.MAXIMIZE
        signal = reason_to_prune(self._record(trial, maximize), self.finished(study, maximize), self.rule)
        if signal is not None:
            self.why[trial.number] = signal
        return signal is not None

    def finished(self, study: "optuna.study.Study", maximize: bool = True) -> list[TrialRecord]:
        """The records of the trials that went to their end; each is read once."""
        done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
        for each in done:
            if each.number not in self._finished:
                self._finished[each.number] = self._record(each, maximize)
        return [self._finished[each.number] for each in done]

    def _record(self, trial: "optuna.trial.FrozenTrial", maximize: bool) -> TrialRecord:
        if self._records is not None:
            return self._records(trial)
        values = np.array([trial.intermediate_values[step] for step in sorted(trial.intermediate_values)])
        return TrialRecord.of(values) if maximize else TrialRecord.of(-values, values, values)
