"""A report taken apart, and runs to make reports of."""

from html.parser import HTMLParser

import numpy as np

from unetdyn.report import write_report
from unetdyn.runs import RunWriter

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """A page as its elements: (name, attributes, own text), and what is wrong with how they are nested."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.stack, self.faults = [], [], []
        self.feed(text)
        self.close()
        self.faults += [f"{name} is never closed" for name, _, _ in self.stack]

    def handle_starttag(self, tag, attrs):
        element = (tag, dict(attrs), [])
        self.elements.append(element)
        if tag not in VOID:
            self.stack.append(element)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), []))

    def handle_endtag(self, tag):
        if not self.stack or self.stack[-1][0] != tag:
            self.faults.append(f"{tag} closes {self.stack[-1][0] if self.stack else 'nothing'}")
            return
        self.stack.pop()

    def handle_data(self, data):
        for _, _, texts in self.stack:
            texts.append(data)

    def all(self, *tags):
        return [element for element in self.elements if element[0] in tags]

    def texts(self, *tags):
        return [" ".join(" ".join(texts).split()) for _, _, texts in self.all(*tags)]


def make_run(path, epochs=24, wild=0.0, finish=True, arrays=True, **config):
    """A training that converges, `wild` of whose Jaccard jumps up and down."""
    rng = np.random.default_rng(0)
    writer = RunWriter(path, config, seed=7, backend="tensorflow")
    left = np.exp(-np.arange(epochs) / 5)
    score = (0.8 - 0.7 * left) * (1 - wild * (np.arange(epochs) % 2)) + 0.002 * rng.normal(size=epochs)
    for epoch in range(epochs):
        loss = 0.1 + left[epoch] + 0.001 * rng.normal()
        logs = {"loss": loss, "val_loss": loss, "jaccard": score[epoch], "val_jaccard": score[epoch]}
        writer.log_epoch(epoch, {**logs, "learning_rate": 1e-3, "seconds": 1.5})
    if arrays:
        steps = np.arange(8 * epochs)
        norms = np.exp(0.3 * rng.normal(size=len(steps)))
        blocks = {name: norms * factor for name, factor in (("enc1", 0.5), ("bottleneck", 0.3), ("head", 0.8))}
        writer.save_arrays("gradient", step=steps, grad_norm=norms, explode=10.0, block_grad_norm=blocks)
        ratios = {name: 1e-3 * values for name, values in blocks.items()}
        writer.save_arrays("update", step=steps, applied=steps >= 0, update_ratio=ratios, low=1e-4, high=3e-3)
    if finish:
        writer.finish("finished", {"test_jaccard": 0.71})
    return writer


def report(tmp_path, *runs, **kwargs):
    path = write_report(list(runs), tmp_path / "report.html", **kwargs)
    return Page(path.read_text(encoding="utf-8"))
