"""What every display must do, as scikit-learn's do: store what is drawn, draw it where asked, and keep the axes."""

import inspect
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from displayed_units import DISPLAYS
from unetdyn import report
from unetdyn.report import drawing


@pytest.fixture(params=list(DISPLAYS))
def display(request):
    return DISPLAYS[request.param]()


def stored(display):
    """What the constructor takes, read from the display."""
    return {name: getattr(display, name) for name in inspect.signature(type(display)).parameters}


def argument_for_axes(display):
    """`ax` of a display with one axes, `axes` of one with several."""
    return next(iter(inspect.signature(display.plot).parameters))


def test_every_display_is_public_and_on_the_list():
    public = {name for name in report.__all__ if name != "write_report"}
    assert public == set(DISPLAYS) == {kind.__name__ for kind in drawing.Display.__subclasses__()}
    assert all(name.endswith("Display") for name in public)


def test_constructor_stores_its_arguments_and_plot_the_axes_that_no_window_owns(display):
    given = set(stored(display))
    assert set(vars(display)) == given
    display.plot()
    several = {"axes_"} if argument_for_axes(display) == "axes" else set()
    assert set(vars(display)) == given | {"figure_", "ax_"} | several
    assert plt.get_fignums() == []


def test_one_display_gives_one_picture_however_often_it_is_drawn(display, tmp_path):
    picture, path = display._repr_png_(), tmp_path / "picture.png"
    with Image.open(io.BytesIO(picture)) as image:
        assert image.format == "PNG"
        assert len(set(image.convert("L").tobytes())) > 10
    again = type(display)(**stored(display)).plot()
    again.plot().save(path, dpi=96)
    assert path.read_bytes() == picture


def test_display_draws_into_given_axes(display):
    argument = argument_for_axes(display)
    axes = Figure().subplots(1 if argument == "ax" else len(display.plot().axes_), 1)
    assert display.plot(**{argument: axes}) is display
    assert display.ax_ is np.ravel(axes)[0]
    assert display.figure_ is display.ax_.figure
    if argument == "axes":
        assert list(display.axes_.values()) == list(axes)


def test_display_refuses_another_number_of_axes(display):
    argument, ax = argument_for_axes(display), Figure().subplots()
    for given, received in (([ax] * 5, "5 axes"), ("here", "str")):
        with pytest.raises(ValueError, match=rf"`{argument}` must be one .*Received: {received}\."):
            display.plot(**{argument: given})


def test_display_says_which_argument_takes_the_axes(display):
    known = argument_for_axes(display)
    other = {"ax": "axes", "axes": "ax"}[known]
    with pytest.raises(TypeError, match=rf"call plot\({known}=.*Received: {other}=\."):
        display.plot(**{other: Figure().subplots()})


def test_constructor_says_what_computes_that_which_is_drawn(display):
    """A history alone, as older versions took it; only a threshold's curve is a single argument."""
    kind = type(display)
    with pytest.raises(
        TypeError, match=rf"{kind.__name__} takes what it draws: `.*call {kind.__name__}\.from_.*dict, x="
    ):
        kind({"loss": [0.5]}, x=1)
    if len(stored(display)) > 1:
        with pytest.raises(TypeError, match=r"Received: dict \(missing a required argument: '\w+'\)\."):
            kind({"loss": [0.5]})


def test_display_hands_further_arguments_to_matplotlib_under_their_short_names_too(display):
    figure = display.plot(lw=7.5).figure_
    drawn = [artist for ax in figure.axes for artist in (*ax.lines, *ax.collections)]
    assert any(np.any(np.equal(artist.get_linewidth(), 7.5)) for artist in drawn)


def test_display_is_saved_as_png_only_and_all_or_nothing(display, tmp_path, monkeypatch):
    def fail(figure, target, **kwargs):
        target.write_bytes(b"half")
        raise OSError("disk full")

    path = tmp_path / "picture.png"
    path.write_bytes(b"before")
    with pytest.raises(ValueError, match=r"`path` must end in \.png\. Received: .*picture\.pdf\."):
        display.save(tmp_path / "picture.pdf")
    monkeypatch.setattr(drawing, "write_figure", fail)
    with pytest.raises(OSError, match="disk full"):
        display.save(path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"before"
