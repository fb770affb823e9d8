import types

import keras
import numpy as np
import pytest

from unetdyn.metrics.input_flags import FLAGS, on_host, warnings_due


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="replicas have values of their own on TensorFlow")
def test_on_host_takes_the_largest_of_all_replicas():
    """Under a `tf.distribute` strategy Keras would add them up, and two largest labels of 1 would become one of 2."""
    values = tuple(np.array(each, "float32") for each in ([1, 0, 3], [1, 2, 0]))
    variable = types.SimpleNamespace(value=values[0], _value=types.SimpleNamespace(values=values))
    assert on_host(variable).tolist() == [1, 2, 3]


@pytest.mark.parametrize("label", [1.0, 3.0, 7.0, 0.1, 255.0, 65535.0])
def test_extremes_of_labels_survive_their_reciprocal(label):
    """One value above 0 is seen as one value: 1/x and back is not x in float32."""
    seen = dict.fromkeys(FLAGS, 0.0) | {"label_background": 1.0, "prediction_below_one": 1.0}
    seen |= {"label_largest": np.float32(label), "label_smallest": np.float32(1) / np.float32(label)}
    found = warnings_due(np.array(list(seen.values()), "float32"), channels=1, sparse=False)
    if label == 1:
        assert found == []
    elif label > 1:
        assert f"the values 0 and {label:g} instead of 0 and 1" in found[0][1]
    else:
        assert f"reaches only {label:g}" in found[0][1]
