"""What is done while the training goes on, such as writing a large file: one job after another, in the background."""

import os
import threading
from collections.abc import Callable
from typing import Any


class Background:
    """Does jobs in their order, one at a time, in a thread of their own.

    No thread is kept for it: each job has one, which begins its work when the job before has ended. So what is idle has
    none, and neither has a copy, or the child that a process forks. Python waits for these threads before a process
    leaves, so a job that has been submitted is done, unless the process is killed.

    **What bounds memory.** A job holds what it works on until it has ended. At any moment one runs, at most one waits,
    and a third is not taken before the first has ended: of jobs that hold a copy of a model each there are two copies,
    and a third in the hands of who submits. Who calls `wait` before making the copy has one.

    It belongs to one thread, that of the training, in which all methods are called. `join` may also be called by the
    handler of a signal, at any moment: nothing here takes a lock that the training may hold.

    Args:
        tell: Is given what could not be done, and the error, in the training's thread: by the next `submit`, `wait` or
            `settle`. A warning from another thread would be lost, and an exception would be printed.

    Example:
        >>> background = Background(lambda what, error: print(f"{what}: {error}"))
        >>> squares = []
        >>> background.submit("the square", lambda: squares.append(3**2))
        >>> background.wait()
        >>> squares, background.busy
        ([9], False)
        >>> background.submit("the ratio", lambda: print(1 / 0)) or background.wait()
        the ratio: division by zero
    """

    def __init__(self, tell: Callable[[str, Exception], None]) -> None:
        self._tell = tell
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._jobs: list[_Job] = []

    def __getstate__(self) -> dict[str, Any]:
        """Of a copy, which has nothing to do yet."""
        return {"_tell": self._tell}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits: who has nothing urgent may leave it out."""
        return any(not job.ended for job in self._here())

    def submit(self, what: str, job: Callable[[], None], then: Callable[[], None] | None = None) -> None:
        """Have it done; this waits only where one job runs and another waits already.

        Args:
            what: What is done, as the subject of "could not be written".
            job: Called in another thread. What it raises is told, and ends nothing.
            then: Called in the training's thread, as `tell` is, if the job was done. Default nothing.
        """
        waiting = [each for each in self._here() if not each.ended]
        if len(waiting) > 1:
            waiting[0].wait()
        self.settle()  # and not what comes of this job, however quick it is
        begun = _Job(what, job, then, waiting[-1] if waiting else None)
        del job
        begun.start()
        self._jobs.append(begun)

    def wait(self) -> None:
        """Until all is done; what went wrong is told, and not raised."""
        for job in self._here():
            job.wait()
        self.settle()

    def join(self, seconds: float) -> bool:
        """Wait for what was submitted, but not for ever, and tell nothing: for the handler of a signal.

        Args:
            seconds: The longest that it takes for each of the two jobs that there may be.

        Returns:
            Whether all is done.
        """
        ended = [job.wait(seconds) for job in self._here()]
        return all(ended)

    def settle(self) -> None:
        """Tell what became of the jobs that have ended; waits for none."""
        for job in self._here():
            if job.ended:
                for error in job.take_outcome():
                    if error is not None:
                        self._tell(job.what, error)
                    elif job.then is not None:
                        job.then()
        self._jobs = [job for job in self._jobs if not job.settled]

    def _here(self) -> tuple["_Job", ...]:
        """The jobs of this process; a forked child has the list of its parent, but not the threads."""
        if self._process != os.getpid():
            self._begin()
        return tuple(self._jobs)


class _Job:
    """One job. The locks are the bare ones: those of `threading.Event` and `Thread.join` have others within."""

    def __init__(
        self, what: str, work: Callable[[], None], then: Callable[[], None] | None, before: "_Job | None"
    ) -> None:
        self.what, self.then = what, then
        self.ended = False
        self._work: list[Callable[[], None]] = [work]
        self._before = before
        self._outcome: list[Exception | None] = []
        self._running = threading.Lock()

    def start(self) -> None:
        """In its thread; in this one where a process leaves, and would wait for no more threads, or can have none."""
        self._running.acquire()
        if not threading.main_thread().is_alive():
            self._run()
            return
        try:
            threading.Thread(target=self._run, name=f"unetdyn: {self.what}", daemon=False).start()
        except RuntimeError:
            self._run()

    def _run(self) -> None:
        error: Exception | None = None
        try:
            if self._before is not None:
                self._before.wait()
                self._before = None
            self._work.pop()()  # what it holds is held by nobody else
        except Exception as raised:
            error = raised
        except BaseException as raised:  # SystemExit would end only this thread
            error = RuntimeError(repr(raised))
        if error is not None:  # the frames in it would hold what the job has held
            error.__traceback__ = error.__cause__ = error.__context__ = None
        self._outcome.append(error)
        self.ended = True
        self._running.release()

    def wait(self, seconds: float = -1) -> bool:
        """Whether it has ended meanwhile; with a number below 0, until it has."""
        if not self.ended and self._running.acquire(timeout=seconds):
            self._running.release()
        return self.ended

    def take_outcome(self) -> list[Exception | None]:
        """The error, or None where there was none; nothing where somebody has taken it: a handler may come between."""
        try:
            return [self._outcome.pop()]
        except IndexError:
            return []

    @property
    def settled(self) -> bool:
        """Whether it has ended, and that was told."""
        return self.ended and not self._outcome
