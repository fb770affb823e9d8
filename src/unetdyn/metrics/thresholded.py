"""The thresholded Jaccard index as a Keras metric."""

import keras

from unetdyn.metrics.counting_metric import CountingMetric
from unetdyn.metrics.ratios import JACCARD


@keras.saving.register_keras_serializable(package="unetdyn")
class ThresholdedJaccard(CountingMetric):
    """Jaccard index (IoU) of binarised predictions, independent of how the data were batched.

    `J = Σ |{y > ½} ∩ {p > t}| / Σ |{y > ½} ∪ {p > t}|`. The state is sums; the ratio comes last. Counts are exact up to
    2⁴⁴ pixels (2³¹ in one image) on every backend and for every dtype of the predictions. A larger value is better:
    callbacks take `mode="max"` and find it out by themselves with `mode="auto"`.

    Labels above 0.5 are foreground, whatever `threshold` is: 0.99 counts as 1. A NaN prediction is background.
    Predictions are compared in float32 at least.

    What the channels mean:

    - one channel: foreground. `class_ids=[1]` is the same; `[0, 1]` is the mean over background and foreground.
    - several channels, `class_ids=None`: every channel is thresholded as a map of its own, and all are pooled into
      one intersection and one union (scikit-learn's `average="micro"`).
    - several channels, `class_ids=[...]`: one Jaccard index a class, and their mean (`average="macro"`).
    - several channels that exclude each other (a softmax): `threshold=None` gives each pixel to its largest channel,
      the first of equals, as in `keras.metrics.FBetaScore`. With a threshold, a pixel may belong to no class or to
      several, as suits sigmoid outputs.

    Labels for several channels are one-hot `(batch, height, width, channels)` or class numbers `(batch, height, width)`
    or `(batch, height, width, 1)`.

    It warns once per object, naming cause and cure, about labels other than 0 and 1 (0/255, -1/1, 1/2, masks divided
    twice, a void value, greys, NaN), class numbers without a channel, one-hot rows of zeros where classes exclude each
    other, predictions outside [0, 1] without `from_logits`, NaN predictions, and a softmax over one channel. In a
    compiled `fit` the warning comes at the end of the first epoch (after the first batch where steps run eagerly, as
    on PyTorch), because only there the values can be read without waiting for the accelerator in every step.

    Args:
        threshold: Probability in [0, 1] that a prediction must exceed to be foreground, also with `from_logits`. 0.5 by
            default, where both classes are equally probable. None: the largest channel wins.
        comparison: ">" by default, as in the studies (docs/studies.md); ">=" counts a prediction at the threshold too.
        aggregate: "dataset" by default: one ratio of the sums over all pixels. "image": the mean of the images' own
            ratios, where a small object weighs as much as a large one. "batch": the mean of the batches' ratios, which
            depends on the batch size; there only to compare with function metrics, which Keras averages like that.
        empty: Score of a dataset, image, batch or class without a pixel in the union. 1.0 by default, because an empty
            prediction for an empty mask is right; 0.0 as in `keras.metrics.BinaryIoU`; "skip" leaves it out of the
            mean, and the result is NaN where nothing is left.
        from_logits: Whether predictions are logits; they are compared with ln(t / (1 − t)), which is exact. False by
            default, as in Keras.
        class_ids: Classes to average over; None by default.
        name: "jaccard" by default, so that logs read `jaccard` and `val_jaccard` however often a metric is made.
        dtype: Kept for Keras' sake. Sums and result are float32 under every dtype policy.
        ignore_label: Label of pixels that are left out, such as 255 or -1 for void; None, the default: none. It is
            compared with the labels as they come, of class numbers and of masks alike.

    `update_state` takes `sample_weight` as a mask: pixels of weight 0 are left out, all others count once, whatever
    their weight. Its shape is `(batch,)`, `(batch, height, width)` or `(batch, height, width, 1)`. Images whose pixels
    are all left out have no score. Keras hands sample weights to `compile(weighted_metrics=[...])` only.

    Returns:
        `result()` is a scalar float32 tensor in [0, 1] or NaN; the value of `empty` before the first update.

    Raises:
        ValueError: If an argument is out of range, or in `update_state`, also while it is traced, if shapes do not fit.

    Example:
        >>> metric = ThresholdedJaccard()
        >>> metric.update_state([[1, 1, 0, 0]], [[0.9, 0.4, 0.8, 0.1]])
        >>> metric.update_state([[1, 1, 1, 0]], [[0.9, 0.9, 0.9, 0.1]])
        >>> round(float(metric.result()), 4)
        0.6667

    Reference:
        Jaccard, "The distribution of the flora in the alpine zone", New Phytologist 11, 1912.
    """

    ratio = JACCARD
    log_name = "jaccard"
