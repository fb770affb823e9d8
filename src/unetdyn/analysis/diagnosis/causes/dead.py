"""Blocks that no gradient reaches, or that never move: exact zeros are not small numbers."""

from collections.abc import Iterator, Mapping

import numpy as np

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, Need

ALWAYS = 0.98  # share of the steps at which a block's gradient is exactly 0
MOSTLY = 0.5  # share of the weights that must be frozen for it to be a cause

DEAD = Limit(
    "weights.dead",
    "a block",
    ill=f"gets a gradient of exactly 0 at {ALWAYS:.0%} of the steps",
    source="arithmetic: what gets no gradient never learns",
    advice="look at that block: weights or biases that begin at 0 or far below it (dead ReLU), a path that the loss "
    "does not depend on, an activation that saturates.",
    expected="its gradient is above 0 from the first step on, and its weights move.",
    refuted="the block was frozen on purpose.",
    normal="gradients below 1e-19 show as 0, since float32 has no room for their squares.",
    explains=("metric.", "loss.", "training.short"),
)
FROZEN = Limit(
    "weights.frozen",
    "the weights",
    ill=f"are frozen to {MOSTLY:.0%} or more, and the training is not well",
    source=RULE_OF_THUMB,
    advice="`layer.trainable = True` for the layers that are to learn, and compile again.",
    expected="the training loss falls further.",
    normal="in transfer learning, where what is frozen was trained before.",
    explains=("metric.", "loss.", "training.short"),
)
LIMITS = (DEAD, FROZEN)
NEEDS = (Need(("block_grad_norm",), "GradientMonitor"),)


def find(evidence: Evidence) -> Iterator[Finding]:
    """Which blocks are cut off, and what is frozen."""
    blocks = evidence.record("block_grad_norm").get("block_grad_norm", {})
    dead = cut_off(blocks)
    if dead:
        which = "every block" if len(dead) == len(blocks) else ", ".join(dead)
        text = f"the gradient is exactly 0 in {which}"
        confidence = "high" if from_the_start(blocks, dead) else "low"
        text += "" if confidence == "high" else ", though not from the first step on"
        yield DEAD.finding("ill", "gradients", text, f"no gradient reaches {which}", confidence=confidence)
    layers, total = evidence.told_names("frozen_layers"), evidence.told_number("parameters")
    trainable = evidence.told_number("trainable_parameters")
    if layers and total and trainable is not None:
        frozen = 1 - trainable / total
        text = f"{frozen:.0%} of the weights are frozen, in {len(layers)} layers ({', '.join(layers[:4])}, …)"
        # The set-up is that of the last stage; what rests there may have learned before.
        later = evidence.curves.stages[1:]
        text += f", in the last stage ({later[-1][1]})" if later else ""
        level = "ill" if frozen >= MOSTLY and not later else "info"
        yield FROZEN.finding(level, "weights", text, f"{frozen:.0%} of its weights are frozen", confidence="medium")


def from_the_start(blocks: Mapping[str, np.ndarray], dead: list[str]) -> bool:
    """Whether these never had a gradient: what died later died of something."""
    return all(np.asarray(blocks[name])[0] == 0 for name in dead)


def cut_off(blocks: Mapping[str, np.ndarray]) -> list[str]:
    """Blocks whose gradient is exactly 0 at nearly every step.

    >>> cut_off({"enc1": np.zeros(100), "dec1": np.ones(100)})
    ['enc1']
    """
    return [name for name, norms in blocks.items() if len(norms) and np.mean(np.asarray(norms) == 0) >= ALWAYS]
