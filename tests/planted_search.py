"""A search whose trainings are planted curves, written as run directories and shown to the callbacks epoch by epoch."""

from types import SimpleNamespace

import numpy as np

from unetdyn.runs import RunWriter

BASE = """
data: {kind: synthetic, sections: 6, size: 64, tile: 32, split: {train: [0, 1], validation: [3, 3], test: [5, 5]}}
model: {architecture: UNet, filters: 2, depth: 1}
fit: {epochs: 30}
"""
SEARCH = """
base: base.yaml
trials: 12
parameters:
  optimizer.learning_rate: {low: 1.0e-4, high: 1.0e-1, log: true}
  fit.batch_size: [4, 8]
sampler: random
"""


def write(folder, text=SEARCH):
    (folder / "base.yaml").write_text(BASE)
    (folder / "search.yaml").write_text(text)
    return folder / "search.yaml"


def height(config):
    """Best at a learning rate of 0.01, and with the larger batch."""
    return 0.8 - 0.1 * abs(np.log10(config.optimizer.learning_rate) + 2) + 0.01 * (config.fit.batch_size == 8)


def curve(config):
    return height(config) * (1 - np.exp(-np.arange(config.fit.epochs) / 4))


class Planted:
    """Trains nothing.

    Args:
        curve: Of a configuration, the values of its epochs.
        loss: Of a value, the loss.
        interrupt: Called with the number of trainings so far and the epoch.
    """

    def __init__(self, curve=curve, loss=lambda value: 1 - value, interrupt=lambda trained, epoch: None):
        self.curve, self.loss, self.interrupt = curve, loss, interrupt
        self.configs, self.resumed = [], []

    def __call__(self, config, also):
        self.configs.append(config)
        path = config.run_directory
        first = (path / "run.json").exists()
        writer = RunWriter.reopen(path) if first else RunWriter(path, config.model_dump(mode="json"))
        if first:
            self.resumed.append(path.name)
            writer.cut_back(0, 0, epoch=0, declared={"metrics": {}, "monitors": {}, "setup": {}, "stages": []})
        model = SimpleNamespace(stop_training=False)
        for each in also:
            each.set_model(model)
        for epoch, value in enumerate(self.curve(config)):
            self.interrupt(len(self.configs), epoch)
            logs = {"loss": self.loss(value), "val_loss": self.loss(value), "val_jaccard": value}
            writer.log_epoch(epoch, {**logs, "seconds": 0.5 * config.fit.batch_size})
            for each in also:
                each.on_epoch_end(epoch, logs)
            if model.stop_training:  # the recorder of a real training hears it from the callback
                writer.event("pruned", "Ended early.", reason=also[0].pruned)
                break
        writer.finish()
        from unetdyn import runs

        return runs.open(path)
