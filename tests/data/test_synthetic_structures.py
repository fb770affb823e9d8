"""Tissue as a function of depth, against brute force: nearest sites, distances to rods, smooth fields."""

import numpy as np
import pytest

from unetdyn.data.synthetic_fields import smooth_field
from unetdyn.data.synthetic_structures import MITOCHONDRION, Tissue, grow


@pytest.fixture(scope="module")
def tissue() -> Tissue:
    return grow(7, 96, 100.0, 0.07, 0.5)


def straight(tissue: Tissue) -> Tissue:
    """The same tissue without its warp, so that distances can be computed by hand."""
    flat = smooth_field(np.random.default_rng(0), 96, 5, 50)
    flat.modes[:] = 0
    return Tissue(tissue.cells, tissue.bodies, (flat, flat), (flat, flat), tissue.patches)


def test_face_finds_the_nearest_cell_by_weighted_distance(tissue: Tissue) -> None:
    face = straight(tissue).face(12.0, [], np.zeros(2))
    cells, centres = tissue.cells, tissue.cells.centres(12.0)
    for y, x in np.random.default_rng(0).integers(0, 96, (50, 2)):
        offset = np.array([y, x]) - centres
        distance = np.sqrt(np.einsum("ki,kij,kj->k", offset, cells.metric, offset)) - cells.radius
        assert face.cell[y, x] == distance.argmin()


def test_face_gap_vanishes_where_two_cells_meet(tissue: Tissue) -> None:
    face = tissue.face(12.0, [], np.zeros(2))
    meets = face.cell[:, 1:] != face.cell[:, :-1]
    assert np.median(np.minimum(face.gap[:, 1:], face.gap[:, :-1])[meets]) < 0.5
    assert face.gap.min() >= 0
    assert face.gap.max() > 8


def test_face_level_is_no_less_than_the_distance_to_the_rod(tissue: Tissue) -> None:
    z = 40.0
    bodies = [body for body in tissue.bodies if body.near(z)]
    face = straight(tissue).face(z, bodies, np.zeros(2))
    centres = tissue.cells.centres(z)
    for y, x in np.argwhere(face.body >= 0)[::97]:
        body = bodies[face.body[y, x]]
        point = np.array([z, y, x]) - body.centre - [0, *centres[body.host]]
        segment = np.linspace(-body.reach, body.reach, 2001)[:, None] * body.axis
        distance = np.linalg.norm(point - segment, axis=1).min() - body.radius
        assert face.level[y, x] >= distance - 0.05
        if face.level[y, x] < 0:
            assert face.cell[y, x] == body.host


def test_bodies_keep_clear_of_each_other_in_a_cell(tissue: Tissue) -> None:
    for index, body in enumerate(tissue.bodies):
        others = [other for other in tissue.bodies[:index] if other.host == body.host]
        assert not any(body.touches(other) for other in others)


def test_body_volume_is_that_of_a_rod_with_round_ends(tissue: Tissue) -> None:
    body = next(body for body in tissue.bodies if body.kind == MITOCHONDRION)
    points = np.random.default_rng(0).uniform(-80, 80, (200_000, 3))
    along = np.clip(points @ body.axis, -body.reach, body.reach)[:, None]
    inside = np.linalg.norm(points - along * body.axis, axis=1) < body.radius
    assert body.volume == pytest.approx(inside.mean() * 160**3, rel=0.1)


def test_grow_deeper_only_adds_below() -> None:
    shallow, deep = grow(7, 64, 50.0, 0.07, 0.5), grow(7, 64, 400.0, 0.07, 0.5)
    for z in (0.0, 25.0, 50.0):
        one, two = ([body.centre.tolist() for body in tissue.bodies if body.near(z)] for tissue in (shallow, deep))
        assert one == two


def test_smooth_field_has_unit_variance_and_moves_on_smoothly() -> None:
    field = smooth_field(np.random.default_rng(3), 128, 4, 60, modes=40)
    values = [field.at(z) for z in (0.0, 1.0, 300.0)]
    assert np.std(values) == pytest.approx(1, abs=0.25)
    assert np.corrcoef(values[0].ravel(), values[1].ravel())[0, 1] > 0.98
    assert abs(np.corrcoef(values[0].ravel(), values[2].ravel())[0, 1]) < 0.6
