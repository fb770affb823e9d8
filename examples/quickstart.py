"""Your own `model.fit`, with our metric, our loss and our callbacks. Runs in about a minute on two cores."""

import sys
from datetime import datetime
from pathlib import Path

import keras

from unetdyn import data
from unetdyn.callbacks import RunRecorder, StabilityMonitor
from unetdyn.losses import BinaryFocalLoss
from unetdyn.metrics import ThresholdedJaccard
from unetdyn.models import AttentionResUNet
from unetdyn.report import HistoryDisplay

run_directory = Path(sys.argv[1] if len(sys.argv) > 1 else f"runs/example-{datetime.now():%Y%m%d-%H%M%S}")
keras.utils.set_random_seed(0)

# 1. Sections, split so that neighbours, which look alike, never end up on both sides.
sections = data.synthetic_em(sections=8, size=128, seed=0)
split = data.split_by_section(sections, train=(0, 5), validation=(7, 7))


def tiles(stack, shuffle):
    cut = data.tile(data.Stack(data.normalise(stack.images), stack.masks, stack.names), size=64, stride=32)
    return data.TileDataset(cut.images, cut.masks, batch_size=8, shuffle=shuffle, seed=0)


# 2. A model of yours, or one of ours: the callbacks work with any Keras model.
model = AttentionResUNet((64, 64, 1), filters=8, depth=3, seed=0)
model.compile(
    optimizer=keras.optimizers.Adam(3e-3),
    loss=BinaryFocalLoss(gamma=2),
    metrics=[ThresholdedJaccard(name="jaccard")],
)

# 3. The callbacks: σ of the validation loss goes into `logs`, everything into the run directory.
stability = StabilityMonitor(window=5, verbose=1)
history = model.fit(
    tiles(split.train, shuffle=True),
    validation_data=tiles(split.validation, shuffle=False),
    epochs=8,
    shuffle=False,
    verbose=2,
    callbacks=[stability, RunRecorder(run_directory, save_best="val_jaccard", monitors=[stability])],
)

# 4. What it was like: a number, a class, a picture.
print(stability.result)
HistoryDisplay.from_history(history, window=5).plot().save(run_directory / "history.png")
print(f"validation Jaccard {max(history.history['val_jaccard']):.2f}; see {run_directory}/history.png")
