"""What is asked for in order, made before it is asked for."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from unetdyn.runs.process import cores

Plan = tuple[Hashable, Callable[[], Any]]
"""What it is, and the function that makes it."""

_FIRST = 2  # until somebody had to wait: one that is made while another is ready
_MOST = 8  # batches, which take memory, on a card as well


def usual_most() -> int:
    """As many as this process has cores, which is how many can be made at once, and 2 to 8."""
    return min(max(cores(), _FIRST), _MOST)


class Ahead:
    """Makes what is likely to be asked for next, such as batches, in threads, while what was asked for is used.

    It never changes what is handed out: only what was made by a plan of the same key is, and whatever else was made is
    forgotten with the next question. So a key must name all that its result depends on.

    Two are made ahead at first, and one more for good each time that one was asked for before it was done, up to
    `most`. As many threads run at any time; what is forgotten while it is made counts among them until it is done.

    Each has a thread of its own, which ends with it. So what is idle has none, and neither has a copy or the child that
    a process forks. Python waits for these threads before a process leaves, for what they have begun and no longer;
    threads that it does not wait for may crash it in the middle of a backend's operation.

    Args:
        most: The most that are made ahead; with 0 everything is made when it is asked for.

    Example:
        >>> from functools import partial
        >>> squares = Ahead(most=2)
        >>> plans = [(number, partial(pow, number, 2)) for number in range(4)]
        >>> [squares.get(plans[number:]) for number in range(4)]
        [0, 1, 4, 9]
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._width = min(_FIRST, self.most)
        self._jobs: dict[Hashable, _Job] = {}
        self._begun: list[_Job] = []

    def get(self, plans: Iterable[Plan]) -> Any:
        """The result of the first plan; those of the following ones are made meanwhile, as many as are wanted.

        Args:
            plans: At least one, in the order in which they will be asked for; no more are looked at than are needed.

        Raises:
            BaseException: Whatever making the first one raises, here or in its thread.
        """
        if self._process != os.getpid():  # a forked child has the jobs of its parent, but not the threads
            self._begin()
        # Threads may ask at once, as TensorFlow's do: each dictionary is complete when the attribute is set, so what
        # one of them loses is time.
        jobs, following = self._jobs, iter(plans)
        key, make = next(following)
        job = jobs.get(key)
        if job is not None and not job.ended.is_set():
            self._width = min(self._width + 1, self.most)
        wanted = dict(itertools.islice(following, self._width))
        kept = {each: jobs[each] for each in wanted if each in jobs}
        self._jobs = kept  # so that nothing else is held while this one is made
        self._jobs = kept | self._started({each: make for each, make in wanted.items() if each not in kept})
        return make() if job is None else job.result()

    def _started(self, plans: dict[Hashable, Callable[[], Any]]) -> dict[Hashable, _Job]:
        """As many of them as there may be threads."""
        self._begun = [job for job in self._begun if not job.ended.is_set()]
        started = {}
        for key, make in itertools.islice(plans.items(), max(0, self.most - len(self._begun))):
            if not threading.main_thread().is_alive():  # the process leaves, and would wait for this one too
                break
            job = _Job(make)
            try:
                threading.Thread(target=job.run, name="unetdyn: ahead", daemon=False).start()
            except RuntimeError:  # there can be no more threads
                break
            started[key] = job
        self._begun += started.values()
        return started


class _Job:
    """One result, on its way; it holds `make`, whose objects its key may know by their identity."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.ended = threading.Event()
        self._make = make
        self._result: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._result = self._make()
        except BaseException as error:  # handed to who asks for it
            self._error = error
        finally:
            self.ended.set()

    def result(self) -> Any:
        self.ended.wait()
        if self._error is not None:
            raise self._error
        return self._result
