"""The list of what a `.keras` file can name, each of which must pass tests/contracts/test_keras_contract.py.

A new metric, loss, schedule, registered function, model builder or layer belongs here: one line in one of the tables.
"""

import keras

from unetdyn.losses import (
    BCEDiceLoss,
    BinaryFocalLoss,
    BoundaryLoss,
    DeepSupervisionLoss,
    DiceLoss,
    FocalTverskyLoss,
    LovaszHingeLoss,
    LovaszSoftmaxLoss,
    SoftJaccardLoss,
    TverskyLoss,
    boundary_targets,
)
from unetdyn.metrics import (
    Accuracy,
    Dice,
    Precision,
    Recall,
    SoftJaccard,
    Specificity,
    ThresholdedJaccard,
    jacard_coef,
    soft_jaccard,
)
from unetdyn.models import AttentionResUNet, AttentionUNet, UNet
from unetdyn.schedules import CosineRestarts, InversePowerDecay, OneCycle, StepDecay, Warmup

METRICS = {
    "ThresholdedJaccard": lambda: ThresholdedJaccard(),
    "ThresholdedJaccard, image": lambda: ThresholdedJaccard(
        0.4, ">=", "image", "skip", from_logits=True, class_ids=[0, 1], name="iou"
    ),
    "ThresholdedJaccard, batch": lambda: ThresholdedJaccard(aggregate="batch", empty=0.0, name="batch_jaccard"),
    "ThresholdedJaccard, void": lambda: ThresholdedJaccard(name="void", ignore_label=255),
    "Dice": lambda: Dice(),
    "Precision, image": lambda: Precision(0.4, ">=", "image", "skip", from_logits=True, class_ids=[0, 1]),
    "Recall, batch": lambda: Recall(aggregate="batch", empty=0.0, name="sensitivity"),
    "Specificity, void": lambda: Specificity(0.4, ignore_label=255),
    "Accuracy": lambda: Accuracy(class_ids=[0, 1]),
    "jacard_coef": lambda: jacard_coef(name="coef"),
    "SoftJaccard": lambda: SoftJaccard(),
    "SoftJaccard, image": lambda: SoftJaccard(2.0, "image", from_logits=True, name="soft", ignore_label=-1),
}

LOSSES = {
    "BinaryFocalLoss": lambda: BinaryFocalLoss(2.0),
    "BinaryFocalLoss, logits": lambda: BinaryFocalLoss(
        0.5, pos_weight=3.0, from_logits=True, label_smoothing=0.1, alpha=0.25, reduction="sum", name="focal"
    ),
    "BinaryFocalLoss, void": lambda: BinaryFocalLoss(2.0, ignore_label=0),
    "SoftJaccardLoss": lambda: SoftJaccardLoss(),
    "SoftJaccardLoss, image": lambda: SoftJaccardLoss(2.0, "image", from_logits=True, ignore_label=255, name="soft"),
    "DiceLoss": lambda: DiceLoss(True, 2.0, "image", class_weights=[2.0], ignore_label=255, name="squares"),
    "TverskyLoss": lambda: TverskyLoss(0.2, 0.8, 2.0, from_logits=True, reduction="sum"),
    "FocalTverskyLoss": lambda: FocalTverskyLoss(2.0, 0.2, 0.8, 3.0, "image", from_logits=True),
    "LovaszSoftmaxLoss": lambda: LovaszSoftmaxLoss("batch", ignore_label=-1),
    "LovaszHingeLoss": lambda: LovaszHingeLoss(),
    "BCEDiceLoss": lambda: BCEDiceLoss(0.5, 2.0, 0.1, squared=True, from_logits=True),
    "BoundaryLoss": lambda: BoundaryLoss(TverskyLoss(0.4), 0.05),
    "DeepSupervisionLoss": lambda: DeepSupervisionLoss(DiceLoss(smooth=3.0), 2, [0.75, 0.25]),
}

TARGETS = {"BoundaryLoss": boundary_targets}
"""What a loss wants instead of masks, made of them."""

SCHEDULES = {
    "CosineRestarts": lambda: CosineRestarts(0.01, 3),
    "InversePowerDecay": lambda: InversePowerDecay(0.01, 0.1),
    "OneCycle": lambda: OneCycle(0.01, 20),
    "OneCycle, linear": lambda: OneCycle(0.01, 20, 0.2, "linear", 10.0, 100.0, three_phase=True),
    "StepDecay": lambda: StepDecay(0.01, 3),
    "Warmup": lambda: Warmup(0.01, 10),
    "Warmup, nested": lambda: Warmup(Warmup(OneCycle(0.01, 20), 4, "exponential"), 5, "constant", 0.5),
}

FUNCTIONS = {"jacard_coef": jacard_coef, "soft_jaccard": soft_jaccard}
"""Functions that `compile(metrics=[...])` takes, and what is called as one."""


def strided_encoder() -> keras.Model:
    """Features at strides 1 and 2, and a bottleneck at 4, of images of three channels."""
    x = inputs = keras.Input((None, None, 3))
    for filters, stride in ((2, 1), (3, 2), (4, 2)):
        x = keras.layers.Conv2D(filters, 3, stride, padding="same", use_bias=False)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    return keras.Model(inputs, x)


MODELS = {
    "UNet": lambda: UNet((32, 32, 1), filters=4, depth=2, seed=0),
    "UNet, any size": lambda: UNet((None, None, 1), filters=2, depth=1, upsample="linear", norm="group", seed=0),
    "UNet, penalties": lambda: UNet(
        (None, None, 1), filters=2, depth=1, upsample="transpose", l1=0.25, l2=0.5, norm=None, seed=0
    ),
    "UNet, encoder": lambda: UNet(
        (None, None, 1),
        filters=2,
        blocks="residual",
        skips="nested",
        encoder=strided_encoder(),
        encoder_trainable=False,
        seed=0,
    ),
    "AttentionUNet": lambda: AttentionUNet((32, 32, 1), filters=2, depth=1, seed=0),
    "AttentionResUNet": lambda: AttentionResUNet((32, 32, 1), filters=2, depth=1, seed=0),
}
