"""Trials of several workers, any of which may die: who works on one, whether he lives, and what becomes of it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from unetdyn.runs.process import identity, is_alive
from unetdyn.sweeps.optional import optuna

BEAT = 60.0
"""Seconds from one sign of life to the next."""
SILENT = 600.0
"""Seconds without one after which a worker of another host is dead: ten beats; the clocks may differ by minutes."""
MOST_DEATHS = 3
"""Of the workers of one trial; one that kills whoever trains it, as by its memory, would else stop the search."""

RUNS, SURPLUS, RETRY_OF, DEATHS, ERROR = "runs", "surplus", "retry_of", "deaths", "error"
_PROCESS, _BEAT = "process", "heartbeat"


@contextmanager
def signs_of_life(trial: Any, beat: float = BEAT) -> Iterator[None]:
    """Say who works on a trial, and that he lives, as long as the block runs.

    Optuna's own heartbeat is for `study.optimize` and for databases alone; this is in the trial's user attributes, and
    so on any storage.

    Args:
        trial: An `optuna.Trial`.
        beat: Seconds.
    """
    trial.set_user_attr(_PROCESS, identity())
    trial.set_user_attr(_BEAT, time.time())
    ended = threading.Event()

    def go_on() -> None:
        while not ended.wait(beat):
            with suppress(Exception):  # a storage that is away for a moment; the trial tells it if it stays away
                trial.set_user_attr(_BEAT, time.time())

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def is_dead(trial: Any, now: float | None = None) -> bool:
    """Whether nobody works any more on a trial that says it is running.

    Args:
        trial: An `optuna.trial.FrozenTrial`.
        now: Seconds since 1970; None: now.

    Returns:
        Of a process of this host whether it is gone; of another, or of one that left no name, whether it has given no
        sign of life for ten minutes.
    """
    alive = is_alive(trial.user_attrs.get(_PROCESS))
    if alive is not None:
        return not alive
    began = trial.datetime_start.timestamp() if trial.datetime_start is not None else 0.0
    return (time.time() if now is None else now) - trial.user_attrs.get(_BEAT, began) > SILENT


def hand_back(study: Any, number: int, died: bool) -> int | None:
    """Give up a running trial, and put its settings back into the queue: with its runs, which are then carried on.

    Of several who try, one does it. Who is killed between the two has lost the settings, not the runs: the search then
    has one trial less.

    Args:
        study: An `optuna.Study`.
        number: Of the trial.
        died: Whether its worker died; after three deaths it is given up for good.

    Returns:
        The number that it has in the queue; None if somebody else was faster, or it is given up.
    """
    trial = study.get_trials(deepcopy=False)[number]
    try:
        study.tell(number, state=optuna.trial.TrialState.FAIL)
    except (ValueError, optuna.exceptions.UpdateFinishedTrialError):
        return None
    deaths = trial.user_attrs.get(DEATHS, 0) + died
    if deaths >= MOST_DEATHS:
        return None
    kept = {RUNS: trial.user_attrs[RUNS]} if RUNS in trial.user_attrs else {}
    study.add_trial(
        optuna.create_trial(
            state=optuna.trial.TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs={**kept, RETRY_OF: number, DEATHS: deaths},
            intermediate_values=trial.intermediate_values,
        )
    )
    return study.get_trials(deepcopy=False)[-1].number


def hand_back_the_dead(study: Any) -> list[int]:
    """Put back what dead workers left; the numbers that the trials had."""
    running = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
    dead = [trial.number for trial in running if is_dead(trial)]
    return [number for number in dead if hand_back(study, number, died=True) is not None]


def ask(study: Any, distributions: dict[str, Any], trials: int) -> Any | None:
    """The next trial; None where as many were asked for as there are to be.

    Numbers of trials are unique, whoever asks. So many as there are to be are given away, and one more for each that
    was put back into the queue, or was asked for in vain.

    Args:
        study: An `optuna.Study`.
        distributions: Of all parameters.
        trials: How many there are to be.
    """

    def given_away() -> int:
        return trials + sum(
            RETRY_OF in each.user_attrs or SURPLUS in each.user_attrs for each in study.get_trials(deepcopy=False)
        )

    waiting = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.WAITING,))
    if not waiting and len(study.get_trials(deepcopy=False)) >= given_away():
        return None
    trial = study.ask(distributions)
    if trial.number < given_away():
        trial.set_user_attr(_PROCESS, identity())  # who is killed before is missed after ten minutes only
        return trial
    trial.set_user_attr(SURPLUS, True)
    study.tell(trial, state=optuna.trial.TrialState.FAIL)
    return None
