"""What a name says: a metric or not, more or less of it better, the best epoch, and its words."""

import inspect

import keras
import numpy as np
import pytest

from unetdyn.analysis import Curves, read_history, summarise, training_health
from unetdyn.analysis.declarations import Declaration
from unetdyn.analysis.log_keys import LogKeys
from unetdyn.analysis.metric_names import best_epoch, direction, is_metric, less_is_better, readable

NAN, INF = float("nan"), float("inf")

LESS = [
    "val_loss",
    "val_mae",
    "val_mse",
    "val_hausdorff",
    "val_crossentropy",
    "val_perplexity",
    "val_brier",
    "val_rmse",
    "val_hd95",
    "val_assd",
    "val_ece",
    "val_nll",
    "val_edge_loss",
    "val_dice_loss",
    "val_jaccard_distance",
    "val_mean_squared_error",
    "val_mae_1",
    "val_false_positives",
    "val_fpr",
    "val_mean_iou_loss",
    "huber",
    "val_huber_1",
    "val_dsc_loss",
    "val_focal_tversky",
    "val_lovasz_hinge",
    "val_pinball",
    "val_rand_error",
    "val_wasserstein",
    "stability",
    "stability_cv",
    "val_jaccard_stability",
    "skipped_updates",
    "grad_exploding",
]
MORE = [
    "val_jaccard",
    "val_jacard_coef",
    "val_mean_io_u",
    "val_iou",
    "val_dice_coef",
    "val_accuracy",
    "acc",
    "val_precision_1",
    "val_recall",
    "val_auc",
    "val_f1",
    "val_f1_score",
    "val_fbeta_score",
    "val_sensitivity",
    "val_specificity",
    "val_kappa",
    "val_mcc",
    "val_r2_score",
    "val_psnr",
    "val_ssim",
    "val_brier_skill_score",
    "val_true_positives",
    "seg_accuracy",
    "dsc",
    "val_mean_dsc",
    "val_tversky",
    "val_tversky_index",
    "val_panoptic_quality",
    "val_adjusted_rand_index",
    "val_explained_variance",
]
NEITHER = [
    "grad_norm",
    "grad_norm/enc1",
    "update_ratio_log10",
    "noise_scale",
    "learning_rate",
    "seconds",
    "auto_clip_norm",
]
UNKNOWN = [
    "sharpness",
    "val_my_score",
    "weights",
    "diceware",
    "accuracyish",
    "temperature",
    "dsclike",
    "huberised",
    "circles",
]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, "down") for name in LESS),
        *((name, "up") for name in MORE),
        *((name, "none") for name in NEITHER),
        *((name, None) for name in UNKNOWN),
    ],
)
def test_direction_of_names(name, expected):
    assert direction(name) == expected
    assert less_is_better(name) == (expected == "down")


ARGUMENTS = {
    "PrecisionAtRecall": (0.5,),
    "RecallAtPrecision": (0.5,),
    "SensitivityAtSpecificity": (0.5,),
    "SpecificityAtSensitivity": (0.5,),
    "IoU": (2, [0]),
    "MeanIoU": (2,),
    "OneHotIoU": (2, [0]),
    "OneHotMeanIoU": (2,),
}
WITHOUT_A_MEANING = {"Metric", "Mean", "MeanMetricWrapper", "Sum"}


@pytest.mark.parametrize("name", sorted(n for n, c in vars(keras.metrics).items() if inspect.isclass(c)))
def test_keras_own_metrics_are_known_by_their_names_as_their_objects_say(name):
    if name in WITHOUT_A_MEANING:
        return
    metric = getattr(keras.metrics, name)(*ARGUMENTS.get(name, ()))
    assert is_metric(metric.name)
    # Counts of right and wrong pixels have no direction in Keras.
    assert direction(metric.name) == getattr(metric, "_direction", direction(metric.name))
    assert direction(metric.name) is not None


OVERLAPS = {"dice", "tversky"}  # the metrics of these names are indices; Keras' losses are 1 − index
NOT_LOSSES = {"deserialize", "get", "serialize"}
LOSSES = sorted(n for n, f in vars(keras.losses).items() if inspect.isfunction(f) and n not in NOT_LOSSES)


@pytest.mark.parametrize("name", LOSSES)
def test_keras_own_losses_as_metrics_are_known_by_their_names(name):
    assert is_metric(name)
    assert direction(name) == ("up" if name in {*OVERLAPS, "cosine_similarity"} else "down")


def test_a_huber_error_is_not_taken_for_the_performance():
    curves = read_history({"huber": [0.5, 0.4], "val_huber": [0.6, 0.5]})
    assert curves.default_metric is None
    assert curves.best("val_huber") == 1


@pytest.mark.parametrize("name", ["sharpness", "val_stability", "grad_cosine", "weight_norm", "epoch", "lr"])
def test_what_callbacks_write_is_no_metric(name):
    assert not is_metric(name)


def test_a_validation_value_makes_a_metric():
    assert is_metric("my_score", logged=["my_score", "val_my_score"])
    assert is_metric("val_my_score")
    assert not is_metric("my_score", logged=["my_score", "val_loss"])
    assert not is_metric("jaccard_stability", logged=["jaccard_stability", "val_jaccard_stability"])


def test_the_record_knows_better_than_the_name():
    keys = LogKeys(
        metrics={"sharpness": "up", "surface_distance": "up", "accuracy": "down", "mine": None, "noise_scale": "up"},
        monitors={"curvature": Declaration("curvature", keys={"{name}": "down", "auc_of_{name}": "none"})},
    )
    assert [is_metric(name, (), keys) for name in ("sharpness", "mine", "noise_scale")] == [True] * 3
    assert [is_metric(name, (), keys) for name in ("curvature", "auc_of_curvature")] == [False] * 2
    found = {name: direction(name, keys) for name in ("val_surface_distance", "accuracy", "mine", "curvature")}
    assert found == {"val_surface_distance": "up", "accuracy": "down", "mine": None, "curvature": "down"}
    assert direction("val_loss", LogKeys(metrics={"loss": "up"})) == "down"


@pytest.mark.parametrize(
    ("names", "metric"),
    [
        (["loss", "sharpness"], None),
        (["loss", "val_loss", "sharpness"], None),
        (["loss", "val_loss", "hessian_trace", "weight_norm", "temperature"], None),
        (["loss", "val_loss", "sharpness", "accuracy"], "accuracy"),
        (["loss", "val_loss", "my_score", "sharpness", "val_my_score"], "my_score"),
        (["loss", "sharpness", "precision", "val_precision"], "precision"),
        (["loss", "skipped_updates", "agc_fraction", "auto_clip_norm", "f1_score"], "f1_score"),
    ],
)
def test_curves_take_no_callbacks_value_for_the_metric(names, metric):
    assert read_history({name: [1.0, 0.5] for name in names}).default_metric == metric


def test_any_logged_value_is_the_metric_for_who_asks_for_it():
    curves = read_history({"loss": [1.0, 0.5], "sharpness": [3.0, 4.0]})
    assert curves.metric("sharpness") == "sharpness"
    assert summarise(curves, metric="sharpness").performance == 4.0


def test_a_recorded_direction_decides_what_performance_can_be_read_from():
    columns = {name: (np.arange(2), np.array([0.5, 0.7])) for name in ("loss", "val_surface_distance", "val_quality")}
    curves = Curves(columns, log_keys=LogKeys(metrics={"surface_distance": "up", "quality": "down"}))
    assert curves.default_metric == "surface_distance"
    assert curves.direction("val_quality") == "down"
    assert training_health(curves).peak_performance == 0.7
    assert summarise(curves).peak_epoch == 1
    with pytest.raises(ValueError, match=r"`metric` must be one of which more is better.*'quality'"):
        summarise(curves, metric="quality")


@pytest.mark.parametrize(
    ("direction", "values", "best"),
    [
        ("up", [0.1, 0.7, 0.7, 0.2], 1),
        ("down", [0.4, 0.1, 0.1], 1),
        ("down", [NAN, 0.3, INF, -INF], 1),
        ("up", [NAN, INF, 0.3], 2),
        ("none", [0.4, 0.1, 0.9], 2),
        (None, [0.4, 0.1, 0.9], 2),
        ("up", [NAN, INF], None),
        ("up", [], None),
    ],
)
def test_best_epoch_is_the_first_of_the_best_finite_values(direction, values, best):
    assert best_epoch(np.array(values), direction) == best


def test_best_of_curves_goes_by_what_the_run_recorded_and_then_by_the_name():
    logged = {name: ([0, 1, 2], [0.4, 0.1, 0.9]) for name in ("val_mae", "val_jaccard", "val_my_distance")}
    curves = Curves(logged, log_keys=LogKeys(metrics={"my_distance": "up"}))
    assert [curves.best(name) for name in logged] == [1, 2, 2]


@pytest.mark.parametrize(
    ("logged", "words"),
    [
        ("val_soft_jaccard", "validation soft Jaccard"),
        ("val_dice", "validation Dice"),
        ("dicentric_share", "dicentric share"),
        ("learning_rate", "learning rate"),
        ("interval_error", "interval error"),
    ],
)
def test_readable(logged, words):
    assert readable(logged) == words
