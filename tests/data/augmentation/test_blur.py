import keras
import numpy as np
import pytest
from scipy import ndimage

from unetdyn.data.augmentation.blur import blur_radius, blurred, gaussian_weights


@pytest.mark.parametrize("axes", [(16, 16), (9, 20)])
def test_blur_is_that_of_scipy(axes):
    images = np.random.default_rng(0).normal(size=(3, *axes, 2)).astype("float32")
    sigma, most = np.array([0.0, 0.9, 2.0]), 2.0
    weights = gaussian_weights(sigma, most).astype("float32")
    found = keras.ops.convert_to_numpy(blurred(keras.ops.array(images), keras.ops.array(weights)))
    np.testing.assert_allclose(found[0], images[0], atol=1e-6)
    for index in (1, 2):
        # Both look as far: 8 pixels. Beyond the border SciPy's "reflect" is the mirror image too.
        expected = ndimage.gaussian_filter(
            images[index].astype(float), sigma[index], radius=8, mode="reflect", axes=(0, 1)
        )
        np.testing.assert_allclose(found[index], expected, atol=1e-5)


def test_weights_of_a_line_and_its_mirror_image_add_up_to_one():
    weights = gaussian_weights(np.linspace(0, 1.3, 7), 1.3)
    assert weights.shape == (7, 1 + blur_radius(1.3))
    np.testing.assert_allclose(2 * weights.sum(axis=1) - weights[:, 0], 1)
