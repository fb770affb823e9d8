"""Images and masks: stacks, tiles, leakage-free splits, augmentation, and what `fit` draws its batches from."""

from unetdyn.data.stack import Stack, downsample

__all__ = ["Stack", "downsample"]
