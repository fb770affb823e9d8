"""The base of everything that measures."""

from unetdyn.callbacks.recorded import Recorded


class Monitor(Recorded):
    """A callback that measures, writes numbers into `logs` and keeps a record. It never changes training.

    Weights with and without it are equal to the last bit; where XLA sees the whole step, to float rounding. What acts
    on training is a control; see `StepControl`.
    """
