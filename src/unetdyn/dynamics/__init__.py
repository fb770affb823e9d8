"""Measurements of training: what happens at the optimizer at every step, and in which block of the network."""

# Keras first: importing it registers our serialisable objects, which must not find this room half imported.
import keras  # noqa: F401  isort: skip

from unetdyn.dynamics.blocks import blocks, layers_by_block
from unetdyn.dynamics.probe import Control, Factors, Probe, Step
from unetdyn.dynamics.rows import Rows
from unetdyn.dynamics.tap import OptimizerTap, detach_all

__all__ = ["Control", "Factors", "OptimizerTap", "Probe", "Rows", "Step", "blocks", "detach_all", "layers_by_block"]
