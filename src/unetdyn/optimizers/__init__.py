"""What is set up at an optimizer of Keras before a training: which weights it lets decay."""

import keras  # noqa: F401  # isort: skip - first: it registers our objects before our modules are half imported

from unetdyn.optimizers.weight_decay import WeightDecayGroups, weight_decay_groups

__all__ = ["WeightDecayGroups", "weight_decay_groups"]
