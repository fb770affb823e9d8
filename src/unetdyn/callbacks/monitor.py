"""The base of everything that measures."""

from unetdyn.callbacks.recorded import Recorded


class Monitor(Recorded):
    """A callback that measures, writes numbers into `logs` and keeps a record. It never changes training.

    Weights with and without it are equal to the last bit; where XLA sees the whole step, to float rounding. What acts
    on training is a control; see `StepControl`.

    For a monitor of your own, subclass it, give its arrays as `record`, write scalars into `logs` in `on_epoch_end`,
    and declare both: a report then draws the record, and takes none of the keys for a metric of the model. What it has
    to say goes to `report`, as a `unetdyn.analysis.diagnosis.Finding`.

    Example:
        >>> import numpy as np
        >>> from unetdyn.analysis.declarations import Declaration
        >>> class Headroom(Monitor):
        ...     declaration = Declaration("headroom", keys={"{name}": "down"}, columns=("{name}",), arrays=("rest",))
        ...     rest = ()
        ...
        ...     @property
        ...     def record(self):
        ...         return {"rest": np.array(self.rest)}
        ...
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         logs[self.name] = 1.0 - logs["val_jaccard"]
        ...         self.rest = (*self.rest, logs[self.name])
        >>> Headroom().name, Headroom("mine").name
        ('headroom', 'mine')
    """
