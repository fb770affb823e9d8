import pytest

from unetdyn.analysis import QuotedTable
from unetdyn.analysis.quoted_table import Note

TABLE = QuotedTable(
    "Weights", ("animal", "kg", "seen"), (("cat", 4.25, "<b>"), ("mouse", 0.02, None)), "a book", (Note("not mine"),)
)


def test_table_shows_itself_as_aligned_text_with_source_and_notes():
    assert str(TABLE).splitlines() == [
        "Weights [a book]",
        "animal  kg    seen",
        "cat     4.25  <b>",
        "mouse   0.02",
        "note: not mine",
    ]


def test_table_as_markdown():
    assert TABLE.markdown().splitlines() == [
        "| animal | kg | seen |",
        "| --- | --- | --- |",
        "| cat | 4.25 | <b> |",
        "| mouse | 0.02 |  |",
        "",
        "- not mine",
    ]
    assert not QuotedTable("a", ("b",), (("c",),), "d").markdown().endswith("\n")


def test_table_in_a_notebook_is_escaped():
    page = TABLE._repr_html_()
    assert "<td style='text-align:left'>&lt;b&gt;</td>" in page
    assert "<caption>Weights [a book]</caption>" in page
    assert "<p>not mine</p>" in page


def test_some_rows_keep_the_notes_that_bear_on_them():
    notes = (Note("all"), Note("of the cat", ("cat",)), Note("of the mouse", ("mouse",)))
    table = QuotedTable(TABLE.title, TABLE.columns, TABLE.rows, TABLE.source, notes).only("mouse")
    assert table.column("kg") == {"mouse": 0.02}
    assert [note.text for note in table.notes] == ["all", "of the mouse"]


def test_table_refuses_rows_and_columns_that_it_lacks():
    with pytest.raises(
        ValueError, match=r"`names` must be one of 'cat', 'mouse'\. Received: names='mose'\. Did you mean"
    ):
        TABLE.only("cat", "mose")
    with pytest.raises(ValueError, match=r"`name` must be one of 'animal', 'kg', 'seen'\. Received: name='weight'\."):
        TABLE.column("weight")
