"""The compiled model says what the configuration says."""

import keras
import numpy as np
import pytest

from unetdyn import losses, metrics
from unetdyn.experiment import parse_config
from unetdyn.experiment.build import build_loss, build_metrics, build_model, build_optimizer


def config(**parts):
    small = {"filters": 2, "depth": 1, **parts.pop("model", {})}
    return parse_config({"data": {"kind": "synthetic", "tile": 16}, **parts, "model": small})


@pytest.mark.parametrize("architecture", ["UNet", "AttentionUNet", "AttentionResUNet"])
def test_build_model_makes_the_architecture(architecture):
    model = build_model(config(model={"architecture": architecture}), channels=3, steps_per_epoch=4)
    assert model.input_shape == (None, 16, 16, 3)
    gated = any(layer.name.startswith("gate1_") for layer in model.layers)
    assert gated == architecture.startswith("Attention")


def test_build_model_has_the_blocks_and_skips_of_the_configuration():
    unet = {"architecture": "UNet", "depth": 2, "blocks": "residual_encoder", "skips": "nested"}
    names = {layer.name for layer in build_model(config(model=unet), channels=1, steps_per_epoch=4).layers}
    assert {"enc1_shortcut", "dec1_1_conv1"} <= names
    assert "dec1_shortcut" not in names


def test_build_model_same_seed_same_weights():
    first, again = (build_model(config(seed=3), 1, 4).get_weights() for _ in range(2))
    other = build_model(config(seed=4), 1, 4).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_build_model_precision_is_the_models_alone():
    before = keras.config.dtype_policy().name
    model = build_model(config(fit={"precision": "mixed_bfloat16"}), 1, 4)
    assert model.get_layer("enc1_conv1").compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == before


def test_build_optimizer_warms_up_then_falls_as_a_cosine():
    chosen = config(optimizer={"learning_rate": 1e-2, "schedule": "cosine", "warmup_epochs": 2}, fit={"epochs": 10})
    schedule = build_optimizer(chosen, steps_per_epoch=5)._learning_rate
    rates = np.array([float(schedule(step)) for step in range(51)])
    np.testing.assert_allclose(rates[:11], np.linspace(1e-3, 1e-2, 11), rtol=1e-5)
    cosine = 0.5 * (1 + np.cos(np.pi * np.arange(41) / 40))
    np.testing.assert_allclose(rates[10:], 1e-2 * (0.99 * cosine + 0.01), rtol=1e-5)


def test_build_optimizer_passes_decay_and_clipping_on():
    chosen = config(optimizer={"kind": "adamw", "weight_decay": 0.02, "global_clipnorm": 1.5})
    optimizer = build_optimizer(chosen, steps_per_epoch=5)
    assert isinstance(optimizer, keras.optimizers.AdamW)
    assert (optimizer.weight_decay, optimizer.global_clipnorm) == (0.02, 1.5)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("binary_focal", losses.BinaryFocalLoss),
        ("soft_jaccard", losses.SoftJaccardLoss),
        ("binary_crossentropy", keras.losses.BinaryCrossentropy),
    ],
)
def test_build_model_loss_knows_logits(kind, expected):
    model = build_model(config(loss={"kind": kind}, model={"output": "logits"}), 1, 4)
    assert type(model.loss) is expected
    assert model.loss.get_config()["from_logits"]


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ({"kind": "binary_focal"}, losses.BinaryFocalLoss(2.0)),
        ({"kind": "soft_jaccard", "smooth": 2, "aggregate": "image"}, losses.SoftJaccardLoss(2.0, "image")),
        ({"kind": "dice"}, losses.DiceLoss()),
        ({"kind": "dice", "squared": True, "smooth": 5}, losses.DiceLoss(True, 5.0)),
        ({"kind": "tversky", "alpha": 1, "beta": 2}, losses.TverskyLoss(1.0, 2.0)),
        ({"kind": "focal_tversky"}, losses.FocalTverskyLoss()),
        ({"kind": "focal_tversky", "gamma": 2}, losses.FocalTverskyLoss(2.0)),
        ({"kind": "lovasz", "aggregate": "batch"}, losses.LovaszSoftmaxLoss("batch")),
        ({"kind": "bce_dice", "bce_weight": 0.5, "label_smoothing": 0.1}, losses.BCEDiceLoss(0.5, label_smoothing=0.1)),
        ({"kind": "bce_dice", "class_weights": [0, 1, 2]}, losses.BCEDiceLoss(class_weights=[0.0, 1.0, 2.0])),
    ],
)
def test_build_loss_has_the_arguments_of_its_kind_also_as_it_was_recorded(loss, expected):
    chosen = config(loss=loss, model={"classes": len(loss.get("class_weights", [1]))})
    made = build_loss(chosen)
    assert (type(made), made.get_config()) == (type(expected), expected.get_config())
    again = build_loss(parse_config(chosen.model_dump(mode="json")))
    assert again.get_config() == expected.get_config()


def test_build_model_several_classes_are_scored_by_the_largest_channel():
    chosen = config(model={"classes": 3}, loss={"kind": "sparse_categorical_crossentropy"})
    model = build_model(chosen, 1, 4)
    images = np.random.default_rng(0).normal(size=(4, 16, 16, 1)).astype("float32")
    masks = np.random.default_rng(1).integers(0, 3, (4, 16, 16, 1)).astype("float32")
    from sklearn.metrics import jaccard_score

    predicted = model.predict(images, verbose=0).argmax(-1)
    expected = jaccard_score(masks.ravel(), predicted.ravel(), average="macro", zero_division=1.0)
    assert model.evaluate(images, masks, verbose=0, return_dict=True)["jaccard"] == pytest.approx(expected, abs=1e-6)


def test_build_model_soft_jaccard_stands_beside_the_thresholded():
    model = build_model(config(metrics={"soft_jaccard": True, "threshold": 0.4}), 1, 4)
    images, masks = np.zeros((2, 16, 16, 1), "float32"), np.ones((2, 16, 16, 1), "float32")
    figures = model.evaluate(images, masks, verbose=0, return_dict=True)
    assert {"jaccard", "soft_jaccard"} <= set(figures)
    assert isinstance(metrics.ThresholdedJaccard(), keras.metrics.Metric)


@pytest.mark.parametrize("classes", [1, 3])
def test_build_metrics_adds_what_is_asked_for_by_the_rule_of_the_jaccard(classes):
    names = ["dice", "precision", "recall", "specificity", "accuracy"]
    several = {"loss": {"kind": "sparse_categorical_crossentropy"}, "model": {"classes": 3}} if classes > 1 else {}
    jaccard, *also = build_metrics(config(metrics={"also": names, "threshold": 0.4}, **several))
    assert [metric.name for metric in also] == names
    *rest, accuracy = also
    assert {metric.rule for metric in rest} == {jaccard.rule}
    assert (accuracy.rule.threshold, accuracy.rule.class_ids) == (jaccard.rule.threshold, None)


@pytest.mark.parametrize("kind", ["binary_focal", "binary_crossentropy", "sparse_categorical_crossentropy"])
def test_build_model_counts_only_pixels_that_have_a_label(kind):
    """The loss is the mean over them, and the metric leaves the others out: as of an image that lacks those rows."""
    classes = 2 if kind.startswith("sparse") else 1
    folder = {"kind": "folder", "path": "x", "tile": 16, "ignore": 255}
    chosen = config(data=folder, loss={"kind": kind}, model={"classes": classes})
    model = build_model(chosen, 1, 4)
    images = np.random.default_rng(0).normal(size=(2, 16, 16, 1)).astype("float32")
    masks = (np.random.default_rng(1).random(images.shape) < 0.4).astype("float32")
    weights = np.ones_like(masks)
    weights[0, :5] = 0
    figures = model.evaluate(images, masks, sample_weight=weights, batch_size=2, verbose=0, return_dict=True)
    outputs = model.predict(images, verbose=0)[weights[..., 0] > 0]
    labels = masks[weights > 0]
    loss = build_model(config(loss={"kind": kind}, model={"classes": classes}), 1, 4).loss
    shape = (1, 1, len(labels))
    expected = float(loss(labels.reshape(*shape, 1), outputs.reshape(*shape, classes)))
    assert figures["loss"] == pytest.approx(expected, rel=1e-5)
    found = outputs.argmax(-1) if classes > 1 else outputs[:, 0] > 0.5
    from sklearn.metrics import jaccard_score

    how = {"average": "macro"} if classes > 1 else {"average": "binary"}
    assert figures["jaccard"] == pytest.approx(jaccard_score(labels, found, **how), abs=1e-6)
