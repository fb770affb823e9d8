"""What the monitors and controls record, for each way to train, against a second backward pass on the same batches.

One training has all of them on one tap, the controls with nothing to do. Another goes step by step by `train_on_batch`:
there each gradient is taken again, and weights are compared before and after.
"""

import functools
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from monitored_units import CONTROLS, MONITORS
from tap_models import conv_data, conv_model, fit, second_passes
from unetdyn.callbacks.step_callbacks import StepReader
from ways_to_train import WAYS_TO_TRAIN, supported

BATCH = 4
RATE = 0.02
DATA = conv_data(32)
# Half-precision gradients come out of another sequence of roundings than those of the second pass, which no loss scale
# touches; float32 holds to what the library promises.
TOLERANCES = {"float16": 1e-2, "bfloat16": 3e-2}
UPDATE_TOLERANCE = 2e-4  # a difference of weights that are a thousand times as large


def compiled(way):
    options = dict(WAYS_TO_TRAIN[way])
    model = conv_model(options.pop("dtype", "float32"))
    accumulation = options.pop("gradient_accumulation_steps", None)
    optimizer = keras.optimizers.SGD(RATE, momentum=0.9, gradient_accumulation_steps=accumulation)
    if way == "float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0**16)  # too large at first
    model.compile(optimizer, "mse", **options)
    return model


@functools.cache
def second_pass(way):
    """Arrays with one row a step: flat gradients, kernels, other weights and their changes by block, and what moved."""
    model = compiled(way)
    if way == "several steps an execution":
        model.compile(model.optimizer, "mse")  # train_on_batch takes one step
    steps = second_passes(model, DATA, BATCH)
    grads, before, after = (
        [np.stack([np.ravel(step[part][v]).astype("float64") for step in steps]) for v in range(len(steps[0][part]))]
        for part in range(3)
    )
    change = [b - a for b, a in zip(before, after, strict=True)]
    blocks = {}
    for place, variable in enumerate(model.trainable_variables):
        blocks.setdefault(variable.path.split("/")[0], []).append(place)
    moved = np.concatenate(change, axis=1).any(axis=1)
    accumulating = way == "gradient accumulation"
    return SimpleNamespace(
        grads=grads,
        whole=np.concatenate(grads, axis=1),
        before=before,
        change=change,
        blocks=blocks,
        kernels={p for p, variable in enumerate(model.trainable_variables) if variable.name == "kernel"},
        moved=moved,
        finite=moved | accumulating,  # a loss scale that is too large overflows, and the step is skipped
        accumulation=2 if accumulating else 1,
    )


@functools.cache
def watched(way):
    units = {name: make(None) for name, make in (MONITORS | CONTROLS).items() if name in EXPECTED}
    model = compiled(way)
    fit(model, DATA, batch_size=BATCH, callbacks=list(units.values()))
    return units


def norms(parts):
    return np.sqrt(sum(np.square(part).sum(axis=1) for part in parts))


def where(condition, values):
    return np.where(condition, values, np.nan)


def gradients(seen):
    whole = norms([seen.whole])
    means = np.cumsum(seen.whole, axis=0)
    means[2:] -= means[:-2].copy()
    applied = norms([means / 2]) if seen.accumulation == 2 else whole
    yield "step", np.arange(len(whole)), 0
    yield "applied", seen.moved, 0
    yield "nonfinite", np.zeros(len(whole)), 0
    yield "grad_norm", whole, 1e-5
    yield "applied_grad_norm", where(seen.moved, applied), 1e-5
    for block, places in seen.blocks.items():
        yield ("block_grad_norm", block), norms([seen.grads[place] for place in places]), 1e-5


def norms_and_rates(seen):
    yield "step", np.arange(len(seen.whole)), 0
    yield "grad_norm", norms([seen.whole]), 1e-5
    yield "learning_rate", np.full(len(seen.moved), RATE), 1e-6


def updates(seen):
    yield "step", np.arange(len(seen.moved)), 0
    yield "applied", seen.moved, 0
    yield "learning_rate", np.full(len(seen.moved), RATE), 1e-6
    for block, places in seen.blocks.items():
        change = norms([seen.change[place] for place in places])
        yield ("update_norm", block), where(seen.moved, change), UPDATE_TOLERANCE
        kernels, others = seen.kernels & set(places), set(places) - seen.kernels
        for name, chosen in (("update_ratio", kernels), ("update_ratio_other", others)):
            if chosen:
                change, weight = (norms([part[p] for p in chosen]) for part in (seen.change, seen.before))
                ratio = np.divide(change, weight, out=np.full(len(change), np.nan), where=weight > 0)
                yield (name, block), where(seen.moved, ratio), UPDATE_TOLERANCE


def noise(seen):
    """By the definitions: the spread of two gradients of a batch each about their mean, and their scalar product."""
    pairs = np.stack([seen.whole[:-1], seen.whole[1:]], axis=1)
    ends = np.arange(1, len(seen.whole))
    kept = seen.finite[1:] & seen.finite[:-1]
    if seen.accumulation == 2:
        kept = ends % 2 == 1  # the two of one cycle
    pairs, ends = pairs[kept], ends[kept]
    yield "raw_step", ends, 0
    yield "raw_gradient_sq", (pairs[:, 0] * pairs[:, 1]).sum(axis=1), 2e-4
    yield "raw_trace_covariance", BATCH * pairs.var(axis=1, ddof=1).sum(axis=1), 2e-4


def clipped_by_history(seen):
    whole = norms([seen.whole])
    yield "step", np.arange(len(whole)), 0
    yield "grad_norm", whole, 1e-5
    yield "clip_norm", np.maximum.accumulate(np.where(seen.finite, whole, 0)), 1e-5
    yield "clip_coefficient", np.ones(len(whole)), 0


def clipped_by_average(seen):
    """A limit of 1e9 times the running average of the norms before; only norms that are finite are in it."""
    whole = norms([seen.whole])
    weights = np.where(seen.finite, 0.99 ** -np.cumsum(seen.finite), 0)
    sums = (weights * np.where(seen.finite, whole, 0), weights)
    total, weight = (np.append(0, np.cumsum(part)[:-1]) for part in sums)
    yield "step", np.arange(len(whole)), 0
    yield "grad_norm", whole, 1e-5
    yield "clip_norm", 1e9 * np.divide(total, weight, out=np.full(len(whole), np.inf), where=weight > 0), 1e-5
    yield "clip_coefficient", np.ones(len(whole)), 0


def clipped_by_weights(seen):
    yield "clip_fraction", np.zeros(len(seen.whole)), 0


def no_noise(seen):
    yield "step", np.arange(len(seen.whole)), 0
    yield "sigma", np.zeros(len(seen.whole)), 0


def momentum(seen):
    yield "step", np.arange(len(seen.whole)), 0
    yield "momentum", np.full(len(seen.whole), np.float32(0.9)), 0


def skipped(seen):
    yield "step", np.flatnonzero(~seen.finite), 0


EXPECTED = {
    "GradientMonitor": gradients,
    "MathematicalMonitor": norms_and_rates,
    "UpdateMonitor": updates,
    "NoiseScaleMonitor": noise,
    "AutoClip": clipped_by_history,
    "RunningAverageClipping": clipped_by_average,
    "AdaptiveGradientClipping": clipped_by_weights,
    "GradientNoise": no_noise,
    "MomentumCycle": momentum,
    "NonFiniteGuard": skipped,
}
"""By unit: (key or (key, block), what a second pass says, relative tolerance in float32) of its record."""


def test_every_unit_at_the_optimizer_has_its_values_checked(tmp_path):
    units = {name: make(tmp_path) for name, make in (MONITORS | CONTROLS).items()}
    assert EXPECTED.keys() == {name for name, unit in units.items() if isinstance(unit, StepReader)}


@pytest.mark.parametrize("way", [supported(way) for way in WAYS_TO_TRAIN])
@pytest.mark.parametrize("name", EXPECTED)
def test_record_is_what_a_second_pass_says(name, way):
    seen, record = second_pass(way), watched(way)[name].record
    assert (~seen.finite).sum() in ((1, 2, 3, 4) if way == "float16" else (0,))
    for key, expected, tolerance in EXPECTED[name](seen):
        found = record[key] if isinstance(key, str) else record[key[0]][key[1]]
        if len(expected) == len(seen.finite):
            found, expected = found[seen.finite], expected[seen.finite]
        close = {"rtol": tolerance, "atol": 1e-6} if tolerance else {"rtol": 0, "atol": 0}
        if tolerance and way in TOLERANCES:
            close = {"rtol": TOLERANCES[way], "atol": TOLERANCES[way] * np.nanmedian(np.abs(expected))}
        np.testing.assert_allclose(found, expected, **close, err_msg=str(key))
