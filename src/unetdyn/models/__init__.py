"""U-Nets as functions that return a `keras.Model` with named blocks.

Layer names begin with the name of their block and an underscore: `enc1 ... encN`, `bottleneck`, `decN ... dec1`,
`gateN ... gate1`, `head` (`head2 ...` under deep supervision). Level 1 works at the resolution of the image. An encoder
of one's own is the layer `encoder`, whose layers keep their names. Records and reports rely on these names.
"""

# Keras first: it fires the registration hook before our own modules are half imported.
import keras  # isort: skip

from importlib import import_module

from unetdyn.models.attention_unets import AttentionResUNet, AttentionUNet
from unetdyn.models.blocks import OWN_LAYERS
from unetdyn.models.compiled import compile_forward
from unetdyn.models.deep_supervision import without_deep_supervision
from unetdyn.models.gates import attention_model
from unetdyn.models.layers import CropLike, LinearUpsampling, PadToMultiple
from unetdyn.models.unet import UNet

if keras.backend.backend() in OWN_LAYERS:
    import_module(f"unetdyn.models.{keras.backend.backend()}_layers")  # for files that name them

__all__ = [
    "AttentionResUNet",
    "AttentionUNet",
    "CropLike",
    "LinearUpsampling",
    "PadToMultiple",
    "UNet",
    "attention_model",
    "compile_forward",
    "without_deep_supervision",
]
