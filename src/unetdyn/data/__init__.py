"""Images and masks: reading, tiling, leakage-free splits, augmentation, and a synthetic electron microscope."""
