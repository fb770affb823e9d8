import numpy as np
import pytest
import tifffile
from PIL import Image

from unetdyn.data.files import read_pages

INDICES = np.kron(np.array([[0, 1], [2, 1]], "uint8"), np.ones((20, 20), "uint8"))


def test_read_pages_refuses_class_indices_that_went_through_jpeg(tmp_path):
    Image.fromarray(INDICES).save(tmp_path / "a.jpg")
    tifffile.imwrite(tmp_path / "a.tif", INDICES, compression="jpeg")
    for name in ("a.jpg", "a.tif"):
        assert (read_pages(tmp_path / name)[0][..., 0] != INDICES).any()
        with pytest.raises(ValueError, match=r"in a JPEG.*class indices don't survive that\. Make it anew"):
            read_pages(tmp_path / name, mask=True)


@pytest.mark.parametrize("values", [INDICES * 127, (INDICES == 1) * np.uint8(255), INDICES * 0])
def test_read_pages_leaves_smeared_edges_to_the_threshold(tmp_path, values):
    Image.fromarray(values).save(tmp_path / "a.jpg")
    np.testing.assert_array_equal(
        read_pages(tmp_path / "a.jpg", mask=True)[0][..., 0], np.asarray(Image.open(tmp_path / "a.jpg"))
    )
