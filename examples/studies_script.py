"""A script of the training-dynamics studies (docs/studies.md), with its imports changed and nothing else of note.

Keras 3 wants `learning_rate=` where the studies wrote `lr=`, and recommends `.keras` for a saved model. The
data are synthetic and tiny, so that it runs in seconds.
"""

import sys
from pathlib import Path

import keras
import numpy as np
from keras.callbacks import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from keras.optimizers import Adam

from unetdyn import data
from unetdyn.analysis import analyze_training_stability, check_convergence, compute_training_health
from unetdyn.callbacks import MathematicalMonitor, StabilityMonitor
from unetdyn.losses import BinaryFocalLoss
from unetdyn.metrics import jacard_coef
from unetdyn.models import UNet

best_model = Path(sys.argv[1] if len(sys.argv) > 1 else ".") / "best_model.keras"
keras.utils.set_random_seed(0)

# 1. Images and masks, and a network.
sections = data.synthetic_em(sections=6, size=64, seed=0)
tiles = data.tile(data.Stack(data.normalise(sections.images), sections.masks, sections.names), size=32)
X, y = tiles.images, tiles.masks
X_train, X_test, y_train, y_test = X[:16], X[16:], y[:16], y[16:]
model = UNet((32, 32, 1), filters=8, depth=1, seed=0)

# 2. Compile and fit as the studies do: the Jaccard is a function in `metrics`, and no callback has a `mode`.
model.compile(
    optimizer=Adam(learning_rate=1e-2, clipnorm=1.0),
    loss=BinaryFocalLoss(gamma=2),
    metrics=["accuracy", jacard_coef],
)
mathematical_monitor = MathematicalMonitor()
stability_monitor = StabilityMonitor()
history = model.fit(
    X_train,
    y_train,
    validation_data=(X_test, y_test),
    epochs=12,
    batch_size=8,
    shuffle=False,
    verbose=0,
    callbacks=[
        EarlyStopping(monitor="val_jacard_coef", patience=15, restore_best_weights=True),
        ReduceLROnPlateau(monitor="val_jacard_coef", factor=0.5, patience=5),
        ModelCheckpoint(filepath=best_model, monitor="val_jacard_coef", save_best_only=True),
        mathematical_monitor,
        stability_monitor,
    ],
)

# 3. Analyse as the studies do.
gradient_stats = {
    "mean_grad_norm": np.mean(mathematical_monitor.gradient_norms),
    "max_grad_norm": np.max(mathematical_monitor.gradient_norms),
    "grad_norm_std": np.std(mathematical_monitor.gradient_norms),
}
last_10_epochs = min(10, len(stability_monitor.val_losses))
print("gradients:", {name: round(float(value), 4) for name, value in gradient_stats.items()})
print("batches:", len(mathematical_monitor.gradient_norms))
print("last learning rate:", mathematical_monitor.learning_rates[-1])
print("σ of the validation loss:", np.std(stability_monitor.val_losses[-last_10_epochs:]))
for name, value in compute_training_health(history.history).items():
    print("health,", name, value)
for name, value in analyze_training_stability(history, window_size=10).items():
    print("stability,", name, value)
print("converged:", check_convergence(history.history))

# 4. The best model opens anywhere, and its metric has the name that it had.
print("best model:", keras.saving.load_model(best_model).evaluate(X_test, y_test, verbose=0, return_dict=True))
