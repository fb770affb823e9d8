"""YAML as people mean it, and errors that name the line."""

import pytest

from unetdyn._yaml_file import Document, YamlError
from unetdyn.experiment import ConfigError, load_config

DATA = "data: {kind: synthetic}\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        ("010", 10),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-01-31", "2026-01-31"),
        ("on", "on"),
        ("No", "No"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("-.inf", float("-inf")),
        (".5", 0.5),
        ("'5'", "5"),
        ("=", "="),
    ],
)
def test_scalars_are_those_of_yaml_1_2(written, read):
    found = Document(f"a: {written}\n").values["a"]
    assert found == read
    assert type(found) is type(read)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("a: [1\n", r"^line 2: while parsing a flow sequence, expected ',' or '\]', but got '<stream end>'$"),
        ("data:\n\tkind: x\n", r"^line 2: .* found character '\\t' .*; indent with spaces, not with tabs$"),
        ("fit: {a: 1}\nname: x\nfit: {b: 2}\n", r"^line 3: the key 'fit' was given in line 1 already$"),
        ("fit:\n  a: 1\n  a: 2\n", r"^line 3: the key 'a' was given in line 2 already$"),
        ("- {a: 1}\n- {b: 1,\n   b: 2}\n", r"^line 3: the key 'b' was given in line 2 already$"),
        (BOMB, r"^line \d: with its aliases it holds more than 100000 values$"),
        ("a: &a [*a]\n", r"^line 1: an alias stands within its own anchor$"),
        ("a: *b\n", r"^line 1: found undefined alias 'b'$"),
        (b"a: 1\nname: caf\xe9\n", r"^line 2: it must be text in UTF-8, and byte 15 of the file is none$"),
        ("a: 1\nb: \x07\n", r"^line 2: the character with the code 7 must not stand in YAML$"),
        ("a: 1\n---\nb: 2\n", r"^line 2: expected a single document .*; leave out all from the second '---' on$"),
        ("a: !!python/object/apply:os.system [ls]\n", r"^line 1: the tag !!python/object/apply:os.system has no place"),
        ("a: !!int x\n", r"^line 1: the tag !!int has no place here$"),
        ("a: !mine x\n", r"^line 1: the tag !mine has no place here$"),
        ("? [1]\n: 2\n", r"^line 1: a key must be a text$"),
        (
            'path: "C:\\Users"\n',
            r"^line 1: .*; a path with backslashes must stand between single quotes, or ",
        ),
        ("a: " + "[" * 5000, r"^it is nested too deep$"),
    ],
)
def test_yaml_that_cannot_be_read_names_the_line(content, text):
    with pytest.raises(YamlError, match=text):
        Document(content)


def test_anchors_and_merged_keys_are_read():
    assert Document("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}\n").values == {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_marks_of_editors_are_no_part_of_the_text(encoding):
    assert Document("name: ü\n".encode(encoding)).values == {"name": "ü"}


def test_line_of_a_key():
    document = Document("a: 1\nb:\n  - c: 1\n  - c: 2\n    d: 3\n")
    keys = [("a",), ("b",), ("b", 1), ("b", 1, "d"), ("b", 1, "x"), ("x",), ("b", 7)]
    assert [document.line(each) for each in keys] == [1, 2, 4, 5, 4, None, 2]
    assert Document("").line(("a",)) is None


def load(tmp_path, content, *overrides):
    path = tmp_path / "c.yaml"
    path.write_text(content)
    return load_config(path, overrides)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("fit:\n  epochs: 0\n", r"c.yaml: line 3: `fit.epochs`: input should be greater than 0. Received: 0"),
        ("model:\n  filters: 8\n  filtres: 3\n", r"c.yaml: line 4: in `model`, unknown key 'filtres'"),
        ("fit: {epochs: 0}\nseed: x\n", r"line 2: `fit.epochs`: .*; line 3: `seed`: "),
        ("model: {filters: true}\n", r"line 2: `model`: `filters` must be a number, which true and false are not"),
        ("model: {filters: yes}\n", r"line 2: `model.filters`: .* Received: 'yes'"),
        ("model: {norm: off}\n", r"`model.norm`: .* Received: 'off'. Write null to turn it off."),
        ("callbacks: {early_stopping: no}\n", r"`callbacks.early_stopping`: .* Received: 'no'. Write null to turn it"),
        ("stages: [{epochs: 1}, {epochs: x}]\n", r"line 2: `stages.1.epochs`: "),
    ],
)
def test_wrong_value_is_told_with_its_line(tmp_path, content, text):
    with pytest.raises(ConfigError, match=text):
        load(tmp_path, DATA + content)


def test_wrong_override_has_no_line(tmp_path):
    with pytest.raises(ConfigError, match=r"c.yaml: `fit.epochs`: input should be greater than 0"):
        load(tmp_path, DATA + "fit: {epochs: 3}\n", "fit.epochs=0")
    with pytest.raises(ConfigError, match=r"^--set fit.epochs=\[1 is not valid YAML: line 1: "):
        load(tmp_path, DATA, "fit.epochs=[1")
    with pytest.raises(ConfigError, match=r"In a list, a key must be a number from 0 to 0. Received: '²'"):
        load(tmp_path, DATA, "stages=[{epochs: 1}]", "stages.²=1")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", r"c.yaml must hold keys and values, .* It is empty"),
        ("# a comment\n", r"It is empty"),
        ("- a\n", r"c.yaml, line 1: it must hold keys and values. Received: a list"),
        ("just text\n", r"Received: the single value 'just text'"),
    ],
)
def test_file_without_keys_is_refused(tmp_path, content, text):
    with pytest.raises(ConfigError, match=text):
        load(tmp_path, content)


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"must be a YAML file. Received: .*, which is a folder"):
        load_config(tmp_path)
    with pytest.raises(ConfigError, match=r"must be a YAML file. Received: /dev/null, which is no file"):
        load_config("/dev/null")


def test_names_that_look_like_something_else_are_names(tmp_path):
    assert [load(tmp_path, f"{DATA}name: {name}\n").name for name in ("2026-01-31", "no", "on")] == [
        "2026-01-31",
        "no",
        "on",
    ]
