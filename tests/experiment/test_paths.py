"""Paths as people write them, and where they may lead."""

from pathlib import Path

import pytest

from unetdyn.experiment import ConfigError, parse_config


def config(**folder):
    return parse_config({"data": {"kind": "folder", "path": "x", **folder}})


def test_tilde_is_the_home_folder():
    assert config(path="~/em").data.path == Path.home() / "em"
    made = parse_config({"data": {"kind": "synthetic"}, "run_directory": "~/runs/x"})
    assert made.run_directory == Path.home() / "runs/x"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (None, r"`data.path`: must be a path; `~` alone is null"),
        (5, r"`data.path`: must be a path; "),
        ("", r"`data.path`: must be a path. Received: ''"),
        (
            "a\new",
            r"without control characters: between double quotes, a backslash begins one. Write / or",
        ),
        ("~nobody-of-this-name/x", r"must be a path whose `~` leads to a home folder that is there"),
        ("data\\vnc", r"must be a path with / between folders, for that is how this system separates them"),
    ],
)
def test_path_that_only_a_slip_can_mean_is_refused(path, text):
    with pytest.raises(ConfigError, match=text):
        config(path=path)


def test_backslash_in_a_name_that_is_there_is_a_name(tmp_path):
    (tmp_path / "a\\b").mkdir()
    assert config(path=str(tmp_path / "a\\b")).data.path == tmp_path / "a\\b"


@pytest.mark.parametrize("name", ["../other", "a/../../b", "/etc", "~/em", "C:\\data", "\\\\server\\share", ".."])
@pytest.mark.parametrize("key", ["images", "masks"])
def test_name_inside_the_data_cannot_leave_it(key, name):
    with pytest.raises(ConfigError, match=rf"`data.{key}`: must be a name inside of `data.path`, neither absolute nor"):
        config(**{key: name})


@pytest.mark.parametrize("name", ["images", "train/images", "stack.tif", "a..b"])
def test_name_inside_the_data_may_have_folders(name):
    assert config(images=name).data.images == name
