"""How often do the controls between epochs act on made-up trainings that go well, and on some that zigzag?

python benchmarks/false_alarms.py
"""

import os
from collections import Counter
from collections.abc import Sequence

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras

from unetdyn.analysis.divergence import divergence_limits
from unetdyn.callbacks import StabilityControl

DESCENTS, DESCENT_EPOCHS = 30, 300
STEADY, STEADY_EPOCHS = 300, 100
ZIGZAG = 1.5
"""Of the noise's standard deviation."""


def judged(losses: Sequence[float]) -> Counter[str]:
    """What `DivergenceRollback` calls each loss: only good ones become past."""
    past: list[float] = []
    words: Counter[str] = Counter()
    for loss in losses:
        word = divergence_limits(past, untrained=1.0).judge(loss)
        words[word] += 1
        past += [loss] if word == "good" else []
    return words


def lowers(values: Sequence[float], level: float, model: keras.Model) -> bool:
    """Whether `StabilityControl` acts on the oscillation at this level of the test."""
    control = StabilityControl(sigma=None, oscillation=level, flip_rate=None, verbose=0)
    control.set_model(model)
    model.optimizer.learning_rate = 1.0  # which another control has lowered
    for epoch, value in enumerate(values):
        control.on_epoch_begin(epoch)
        control.on_epoch_end(epoch, {"val_loss": value})
        if control.scale < 1:
            return True
    return False


def main() -> None:
    """A line for each kind of noise."""
    rng = np.random.default_rng(0)
    shape = DESCENTS, DESCENT_EPOCHS
    descent = 0.2 + 0.8 * np.exp(-np.arange(DESCENT_EPOCHS) / 30)
    noises = {
        "normal noise of a tenth of the level": 0.02 * rng.normal(size=shape),
        "Student's t, 3 degrees of freedom, scaled by a tenth of the level": 0.02 * rng.standard_t(3, size=shape),
        "normal noise of 30 % of the level": 0.06 * rng.normal(size=shape),
    }
    for name, noise in noises.items():
        words = sum(map(judged, (descent + noise).tolist()), Counter())
        print(
            f"{name}: of {noise.size} epochs {words['suspicious']} suspicious, {words['diverged']} diverged", flush=True
        )
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    white = rng.normal(size=(STEADY, STEADY_EPOCHS))
    zigzag = white + ZIGZAG * (-1.0) ** np.arange(STEADY_EPOCHS)
    for name, trainings in {"white noise": white, f"with a zigzag of {ZIGZAG} of its deviations": zigzag}.items():
        for level in (0.01, 0.001):
            count = sum(lowers(values, level, model) for values in trainings.tolist())
            print(f"{name}, level {level}: {count} of {STEADY} trainings are acted on", flush=True)


if __name__ == "__main__":
    main()
