"""Published sets of rules, re-expressed on what a run directory holds; their thresholds are as published.

Each is a function of `Evidence` that returns the names of its rules that hold. What they need and a run does not record
is left out, and said where it would stand: activations of hidden layers, single weights and single gradients. A run
records the norm of each block's gradient and how far each update moved it, at every step.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.diagnosis import Evidence

Found = tuple[str, ...]


def _curve(evidence: Evidence, name: str) -> NDArray:
    """The values of a curve at each epoch; empty where it was not logged."""
    if name not in evidence.curves:
        return np.zeros(0)
    return np.asarray(evidence.curves[name].values, float)


def _gradient(evidence: Evidence) -> Mapping[str, NDArray]:
    return {name: np.asarray(value, float) for name, value in _blocks(evidence, "block_grad_norm").items()}


def _blocks(evidence: Evidence, key: str) -> Mapping[str, Any]:
    record = evidence.record(key)
    return record[key] if record else {}


def _nonfinite(evidence: Evidence) -> bool:
    return any((~np.isfinite(_curve(evidence, name))).any() for name in ("loss", "val_loss"))


def autotrainer(evidence: Evidence) -> Found:
    """AutoTrainer's five problems.

    Zhang, Zhai, Ma, Shen (2021), AUTOTRAINER: an automatic DNN training problem detection and repair system, ICSE;
    https://github.com/shiningrain/AUTOTRAINER, AutoTrainer/utils/monitor.py, with the default parameters in its
    comments: β₁ = 1e-3, β₂ = 1e-4, β₃ = 70, γ = 0.7, ζ = 0.03, η = 0.2, δ = 0.01, Θ = 0.7, and judged from the third
    tenth of the epochs on. Its accuracy is here the Jaccard index, as that of the pixels is above Θ for background
    alone. Gradients are norms of blocks, first over last, where it has kernels of layers. Not to be had: the share of
    zeros in the gradient, of which a block whose gradient is exactly 0 is the only trace (its "dying ReLU").
    """
    if _nonfinite(evidence) or (_curve(evidence, "val_loss")[-1:] >= 1e5).any():
        return ("autotrainer.explode",)
    training, validation = _curve(evidence, "jaccard"), _curve(evidence, "val_jaccard")
    if not len(training) or not len(validation):
        return ()
    norms = list(_gradient(evidence).values())
    if any((~np.isfinite(each)).any() for each in norms):
        return ("autotrainer.explode",)
    slow = max(np.diff(validation).max(initial=0), np.diff(training).max(initial=0)) < 0.01
    failed = max(validation) < 0.7 or max(training) < 0.7
    if failed or slow:
        if norms:
            first, last = norms[0], norms[-1]
            ratio = first / np.where(last > 0, last, np.inf)
            zero = np.mean([(each == 0).mean() for each in norms])
            if zero >= 0.7:
                return ("autotrainer.relu",)
            if (ratio > 70).any():
                return ("autotrainer.explode",)
            if ((ratio < 1e-3) & (first < 1e-4)).any():
                return ("autotrainer.vanish",)
        return ("autotrainer.not_converge",) if slow else ()
    return ("autotrainer.unstable",) if _oscillates(training, 0.03, 0.2) else ()


def _oscillates(values: NDArray, height: float, share: float) -> bool:
    middle, before, after = values[1:-1], values[:-2], values[2:]
    high = middle[(middle >= before) & (middle >= after)]
    low = middle[(middle <= before) & (middle <= after)]
    count = min(len(high), len(low))
    return bool((high[:count] - low[:count] >= height).sum() >= share * len(values))


def deep_diagnosis(evidence: Evidence) -> Found:
    """DeepDiagnosis' symptoms, which include DeepLocalize's.

    Wardat, Cruz, Le, Rajan (2022), DeepDiagnosis: automatically diagnosing faults and recommending actionable fixes in
    deep learning programs, ICSE; https://github.com/DeepDiagnosis/ICSE2022, callback/callbacks.py. Wardat, Le, Rajan
    (2021), DeepLocalize: fault localization for deep neural networks, ICSE: numerical errors, and a loss or an accuracy
    that stands still. Loss unchanged over 5 epochs, accuracy over 20 (mean equal to the largest), invalid loss or
    accuracy (NaN, infinite; an accuracy of 0), mean absolute gradient below 1e-7, output out of the labels' range, by
    more than ten times with a linear head. Not to be had: dead nodes (0.7 of a layer ≤ 0), saturated activations
    (|x| ≥ 5 in half of a layer), the variance of weights outside [1e-5, 10], unchanged tensors.
    """
    found = []
    loss = _curve(evidence, "loss")
    accuracy = _curve(evidence, "binary_accuracy")
    accuracy = accuracy if len(accuracy) else _curve(evidence, "accuracy")
    if (~np.isfinite(loss)).any():
        found.append("deepdiagnosis.invalid_loss")
    if (~np.isfinite(accuracy) | (accuracy == 0)).any():
        found.append("deepdiagnosis.invalid_accuracy")
    if _unchanged(loss, 5):
        found.append("deepdiagnosis.loss_not_decreasing")
    if _unchanged(accuracy, 20):
        found.append("deepdiagnosis.accuracy_not_increasing")
    for norms in _gradient(evidence).values():
        if (~np.isfinite(norms)).any():
            found.append("deepdiagnosis.numerical_error")
        # A mean absolute value is at most the norm: a norm below the threshold is sure to be one.
        if (norms < 1e-7).any():
            found.append("deepdiagnosis.vanishing_gradient")
    batch = evidence.record("output_min", "output_max", "target_min", "target_max")
    if batch:
        low, high, least, most = (
            np.asarray(batch[name], float) for name in ("output_min", "output_max", "target_min", "target_max")
        )
        wide = high - low > 10 * (most - least)  # NaN, where there is nothing to compare, is not wide
        if wide.any() or (most > 1).any():
            found.append("deepdiagnosis.out_of_range")
    return tuple(dict.fromkeys(found))


def _unchanged(values: NDArray, count: int) -> bool:
    whole = [values[i : i + count] for i in range(0, len(values) - count + 1, count)]
    return any(part.mean() == part.max() for part in whole)


def sagemaker(evidence: Evidence) -> Found:
    """Built-in rules of Amazon SageMaker Debugger, with their default parameters.

    https://docs.aws.amazon.com/sagemaker/latest/dg/debugger-built-in-rules.html: VanishingGradient (mean absolute
    gradient below 1e-7), ExplodingTensor (NaN or infinite), LossNotDecreasing (less than 0.1 % in 10 steps, or a rise
    of 5 %: here between epochs, in a run's logs the finest loss there is), Overfit ((validation − training) / training
    loss above 0.1, patience 1), Overtraining (no improvement by 0.01 for 5 and 10), WeightUpdateRatio (above 10 or
    below 1e-8), ClassImbalance (more than 10 to 1). Not to be had: DeadRelu, SaturatedActivation,
    PoorWeightInitialization, TensorVariance, UnchangedTensor, AllZero.
    """
    found = []
    loss, validation = _curve(evidence, "loss"), _curve(evidence, "val_loss")
    norms = _gradient(evidence)
    if _nonfinite(evidence) or any((~np.isfinite(each)).any() for each in norms.values()):
        found.append("sagemaker.exploding_tensor")
    if any((each < 1e-7).any() for each in norms.values()):
        found.append("sagemaker.vanishing_gradient")
    whole = loss[np.isfinite(loss)]
    if len(whole) > 1:
        change = np.diff(whole) / np.maximum(np.abs(whole[:-1]), 1e-30)
        if (change > -0.001).any():
            found.append("sagemaker.loss_not_decreasing")
    if len(loss) and len(validation) == len(loss) and (((validation - loss) / np.abs(loss)) > 0.1).sum() > 1:
        found.append("sagemaker.overfit")
    if _since_best(loss, 0.01) > 5 or _since_best(validation, 0.01) > 10:
        found.append("sagemaker.overtraining")
    ratios = [np.asarray(each, float) for each in _blocks(evidence, "update_ratio").values()]
    if any((each > 10).any() or (each < 1e-8).any() for each in ratios):
        found.append("sagemaker.weight_update_ratio")
    foreground = evidence.record("foreground")
    if foreground and np.nanmean(foreground["foreground"]) < 1 / 11:
        found.append("sagemaker.class_imbalance")
    return tuple(found)


def _since_best(values: NDArray, delta: float) -> int:
    best, since = np.inf, 0
    for value in values:
        best, since = (value, 0) if value < best - delta else (best, since + 1)
    return since


def loss_only(evidence: Evidence) -> Found:
    """The simplest there is: a loss that is not finite, or a training loss that has not fallen by a tenth."""
    loss = _curve(evidence, "loss")
    if _nonfinite(evidence):
        return ("loss.nonfinite",)
    fallen = len(loss) < 2 or loss[-1] < loss[0] - 0.1 * abs(loss[0])
    return () if fallen else ("loss.not_fallen",)


RULE_SETS: dict[str, Callable[[Evidence], Found]] = {
    "AutoTrainer": autotrainer,
    "DeepDiagnosis": deep_diagnosis,
    "SageMaker Debugger": sagemaker,
    "loss only": loss_only,
}

CAUSES: dict[str, tuple[str, ...]] = {
    "autotrainer.explode": ("gradient.exploding", "inputs.nonfinite", "gradient.nonfinite"),
    "autotrainer.relu": ("weights.dead",),
    "autotrainer.vanish": ("gradient.vanishing",),
    "autotrainer.not_converge": ("learning_rate.low", "training.short"),
    "autotrainer.unstable": ("learning_rate.high",),
    "deepdiagnosis.invalid_loss": ("inputs.nonfinite", "gradient.nonfinite"),
    "deepdiagnosis.invalid_accuracy": ("metric.suspicious",),
    "deepdiagnosis.loss_not_decreasing": ("learning_rate.low", "learning_rate.high"),
    "deepdiagnosis.accuracy_not_increasing": ("background", "outputs.constant"),
    "deepdiagnosis.numerical_error": ("gradient.nonfinite", "inputs.nonfinite"),
    "deepdiagnosis.vanishing_gradient": ("gradient.vanishing", "weights.dead"),
    "deepdiagnosis.out_of_range": ("outputs.range", "labels.scale", "activation.missing"),
    "sagemaker.exploding_tensor": ("gradient.nonfinite", "inputs.nonfinite"),
    "sagemaker.vanishing_gradient": ("gradient.vanishing", "weights.dead"),
    "sagemaker.loss_not_decreasing": ("learning_rate.low", "learning_rate.high"),
    "sagemaker.overfit": ("overfitting",),
    "sagemaker.overtraining": ("overfitting",),
    "sagemaker.weight_update_ratio": ("learning_rate.low", "learning_rate.high"),
    "sagemaker.class_imbalance": ("background",),
    "loss.nonfinite": ("inputs.nonfinite", "gradient.nonfinite"),
    "loss.not_fallen": ("learning_rate.low", "learning_rate.high"),
}
"""The codes that a published rule's name stands for, most generously."""
