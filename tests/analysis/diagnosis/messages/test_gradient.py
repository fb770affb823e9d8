"""What is told of gradients: codes, levels and numbers."""

import numpy as np
import pytest

from unetdyn.analysis.diagnosis.messages.gradient import (
    NonFinite,
    exploding_gradients,
    gradient_spikes,
    nonfinite_gradients,
    vanishing_gradients,
)

STEPS = np.array([4, 5, 6, 7])
NORMS = np.array([1.0, 12.0, 30.0, np.nan])
BLOCKS = {"enc1": np.array([0.5, 2.0, 29.0, np.nan]), "head": np.array([0.8, 9.0, 3.0, np.nan])}


def first(variables=("a/kernel",), everywhere=False):
    return NonFinite(7, 1, "a/kernel", "enc1", 3, variables, everywhere, applied=True)


@pytest.mark.parametrize(
    ("all_skipped", "scaled", "code", "level", "helps"),
    [
        (False, False, "gradient.nonfinite", "ill", "`NonFiniteGuard` skips such updates"),
        (True, False, "gradient.skipped", "watch", "look for NaN"),
        (True, True, "gradient.skipped", "watch", ""),
    ],
)
def test_nonfinite_gradients_are_worse_where_they_were_used(all_skipped, scaled, code, level, helps):
    found = nonfinite_gradients(first(), 2, 8, all_skipped, scaled)
    assert (found.code, found.level) == (code, level)
    assert "at 2 of 8 steps, first at step 7 in 3 entries of a/kernel (block enc1)." in found.sentence
    assert helps in found.advice
    assert bool(found.advice) == bool(helps)
    assert ("loss scale" in found.seen) == scaled


@pytest.mark.parametrize(
    ("found", "where"),
    [
        (first(("b", "a/kernel")), "(block enc1) and in 1 other variable nearer to the input."),
        (first(("c", "b", "a/kernel")), "(block enc1) and in 2 other variables nearer to the input."),
        (first(("b", "a/kernel"), everywhere=True), "the loss itself, or the batch, was not finite."),
        (first(everywhere=True), "3 entries of a/kernel (block enc1)."),
    ],
)
def test_where_nonfinite_gradients_began(found, where):
    assert where in nonfinite_gradients(found, 1, 8, False, False).seen


def test_exploding_gradients():
    found = exploding_gradients(STEPS, NORMS, BLOCKS, 10.0)
    assert (found.code, found.level, found.threshold) == ("gradient.exploding", "watch", "a norm above 10")
    assert (
        "above 10 at 2 of 4 steps, first at step 5 (12), at most 30 at step 6, most of it in block enc1." in found.seen
    )
    assert "Blocks above it by themselves: enc1." in found.seen
    assert "`global_clipnorm`" in found.advice


def test_vanishing_gradients_name_six_places_at_most():
    below = {f"block b{place}": 1e-7 * place for place in range(8)}
    found = vanishing_gradients(below, 9, 1e-6, 20)
    assert (found.code, found.level, found.threshold) == ("gradient.vanishing", "watch", "a median norm below 1e-06")
    assert "over 20 steps was below 1e-06 in block b0 (0, or below about 1e-19), block b1 (1e-07), " in found.seen
    assert "block b5 (5e-07) and 2 more; the model has 9 blocks." in found.seen


def test_gradient_spikes():
    found = gradient_spikes(STEPS, NORMS, BLOCKS, np.array([False, True, True, False]), 6.0, 100)
    assert (found.code, found.level) == ("gradient.spikes", "watch")
    assert "at 2 of 4 steps the norm was more than 6 robust" in found.seen
    assert "the 100 steps before, first at step 5 (12), most of it in block head." in found.seen
    assert "`AutoClip`" in found.advice
