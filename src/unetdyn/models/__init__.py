"""U-Nets as functions that return a `keras.Model` with named blocks.

Layer names begin with the name of their block and an underscore: `enc1 ... encN`, `bottleneck`, `decN ... dec1`,
`gateN ... gate1`, `head`. Level 1 works at the resolution of the image. Records and reports rely on these names.
"""

# Keras first: it fires the registration hook before our own modules are half imported.
import keras  # noqa: F401  # isort: skip

from unetdyn.models.gates import attention_model
from unetdyn.models.layers import CropLike, LinearUpsampling
from unetdyn.models.unet import AttentionResUNet, AttentionUNet, UNet

__all__ = ["AttentionResUNet", "AttentionUNet", "CropLike", "LinearUpsampling", "UNet", "attention_model"]
