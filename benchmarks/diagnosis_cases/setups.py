"""Everything that a training is made from; a fault or a look-alike is a change to the plain one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .datasets import Arrays

if TYPE_CHECKING:
    import keras

Change = Callable[[Arrays, np.random.Generator], None]


@dataclass(frozen=True)
class Setup:
    """The plain, healthy training, unless told otherwise."""

    # The net.
    norm: str | None = "batch"
    norm_momentum: float | None = 0.9
    activation: str = "relu"
    dropout: float = 0.0
    variant: str = "default"
    depth: int = 2
    filters: int = 8
    head: str = "sigmoid"
    # Its start.
    kernel_scale: float = 1.0
    offset: float = 0.0
    offset_share: float = 1.0
    head_bias: float = 0.0
    frozen: str | None = None
    pretraining: int = 0
    alter: "Callable[[keras.Model], None] | None" = None
    # The rule.
    optimizer: str = "adam"
    make_optimizer: "Callable[[int], keras.optimizers.Optimizer] | None" = None
    learning_rate: float = 8e-3
    momentum: float = 0.9
    epsilon: float = 1e-7
    accumulation: int | None = None
    schedule: str | None = None
    step_factor: float = 1.0
    plateau: bool = False
    clipnorm: float | None = None
    clipvalue: float | None = None
    weight_decay: float | None = None
    ascent: bool = False
    policy: str = "float32"
    scale_loss: bool = True
    loss_scale: float | None = None
    # The aim.
    loss: str = "bce"
    make_loss: Callable[[], Any] | None = None
    gamma: float = 2.0
    pos_weight: float = 1.0
    from_logits: bool = False
    sign: float = 1.0
    l2: float = 0.0
    steepness: float = 1.0
    metric: str = "thresholded"
    metric_threshold: float = 0.5
    # The data.
    scaling: str = "standardised"
    task: Change | None = None
    change: Change | None = None
    batch_size: int = 16
    shuffle: bool = True
    epochs: int = 24

    def but(self, **changes: object) -> "Setup":
        """The same with some of it changed."""
        return replace(self, **changes)


PLAIN = Setup()
