"""Pictures as inline SVG: of their own, small, with nothing lost that can be seen."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
from matplotlib.figure import Figure

from unetdyn.report.page.svg import inline_svg


def figure_of(values, **kwargs):
    figure = Figure()
    figure.subplots().plot(values, **kwargs)
    return figure


def ids(svg):
    return re.findall(r'\bid="([^"]+)"', svg)


def test_picture_is_one_svg_element_with_role_and_label():
    svg = inline_svg(figure_of([1, 2, 3]), "loss", 'Loss of "a" & <b>')
    root = ElementTree.fromstring(svg)
    assert root.tag.endswith("svg")
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'Loss of "a" & <b>'
    assert "viewBox" in root.attrib
    assert "metadata" not in svg
    assert not svg.startswith("<?xml")


def test_text_stays_text():
    figure = figure_of([1, 2])
    figure.axes[0].set_title("σ of <the loss>")
    root = ElementTree.fromstring(inline_svg(figure, "a", "label"))
    assert "σ of <the loss>" in ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")]


def test_pictures_share_no_id_and_every_reference_is_to_an_id_of_the_same_picture():
    first, second = (inline_svg(figure_of([1, 2, 3], marker="o"), name, "x") for name in ("run1-loss", "run2-loss"))
    assert ids(first)
    assert not set(ids(first)) & set(ids(second))
    assert len(ids(first)) == len(set(ids(first)))
    for svg in (first, second):
        references = re.findall(r'(?:href="#|url\(#)([^")]+)', svg)
        assert references
        assert set(references) <= set(ids(svg))


def test_picture_is_the_same_each_time():
    assert inline_svg(figure_of([1, 2]), "a", "x") == inline_svg(figure_of([1, 2]), "a", "x")


def test_long_lines_are_thinned_but_keep_their_peaks_and_gaps():
    values = np.sin(np.arange(100_000) / 5000)
    values[31_234] = 7.0
    values[60_000:61_000] = np.nan
    figure = figure_of(values)
    assert len(inline_svg(figure, "a", "x")) < 100_000
    drawn = figure.axes[0].get_lines()[0]
    assert len(drawn.get_xdata()) <= 3000
    assert drawn.get_ydata()[list(drawn.get_xdata()).index(31_234)] == 7.0
    gap = (drawn.get_xdata() >= 60_000) & (drawn.get_xdata() < 61_000)
    assert gap.any()
    assert np.isnan(drawn.get_ydata()[gap]).all()


def test_picture_stands_in_a_page():
    """html.parser sees one svg, closed, with attributes that HTML takes."""

    class Parser(HTMLParser):
        open = closed = 0

        def handle_starttag(self, tag, attrs):
            self.open += tag == "svg"

        def handle_endtag(self, tag):
            self.closed += tag == "svg"

    parser = Parser()
    parser.feed(f"<main>{inline_svg(figure_of([1, 2]), 'a', 'x')}</main>")
    assert (parser.open, parser.closed) == (1, 1)
