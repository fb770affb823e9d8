"""A record of predictions as `PredictionRecorder` writes one, planted."""

import numpy as np

from unetdyn.runs.predictions import packed, quantised

TILES, SIDE = 3, 12
EPOCHS = (0, 4, 9)


def planted_pictures(gates=True):
    """Masks with a square each, and probabilities that come nearer to them from epoch to epoch, the first tile last."""
    rng = np.random.default_rng(0)
    mask = np.zeros((TILES, SIDE, SIDE), dtype=bool)
    mask[:, 3:8, 2:9] = True
    noise = rng.random((len(EPOCHS), TILES, SIDE, SIDE))
    share = np.array([[0.2, 0.4, 0.6], [0.3, 0.6, 0.8], [0.4, 0.8, 1.0]])[..., None, None]
    probability = share * mask + (1 - share) * noise
    image = rng.integers(0, 256, (TILES, SIDE, SIDE, 1)).astype(np.uint8)
    alpha = rng.random((len(EPOCHS), TILES, 6, 6)) if gates else None
    return image, mask, probability, alpha


def planted_record(gates=True):
    """What `planted_pictures` are in a record; the second of the epochs is the best."""
    image, mask, probability, alpha = planted_pictures(gates)
    record = {
        "epoch": np.arange(10),
        "jaccard": np.linspace(0.1, 0.9, 10),
        "seconds": np.full(10, 0.01),
        "shape": np.array(image.shape),
        "kind": np.array([0, 2, 3]),
        "place": np.array([[0, 0, 0], [1, 0, 4], [5, 0, 0]]),
        "image": packed(image),
        "mask": packed(mask),
        "best": np.array(4),
        "probability": {str(epoch): packed(quantised(p)) for epoch, p in zip(EPOCHS, probability, strict=True)},
        "gate": {},
        "gate_shape": {},
    }
    if gates:
        record["gate"] = {f"{epoch}/gate1": packed(quantised(a)) for epoch, a in zip(EPOCHS, alpha, strict=True)}
        record["gate_shape"] = {"gate1": np.array([6, 6])}
    return record
