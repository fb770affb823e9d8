"""The base of controls: what acts on every training step."""

import abc

from unetdyn.callbacks.step_reader import StepReader
from unetdyn.dynamics import Control


class StepControl(StepReader):
    """A control at the optimizer: inside the compiled step it changes gradients or forbids the update.

    A subclass gives in `probe` what acts, says in `_empty_record` what it records, and in `_measure` accounts for what
    was done. With arguments under which there is nothing to do, it leaves training as a monitor does.
    """

    @abc.abstractmethod
    def probe(self) -> Control:
        """What acts inside the step, new for each `fit`."""
