from dataclasses import dataclass

import pytest

from imagemusic.config import from_table, read_toml
from imagemusic.errors import ConfigError
from imagemusic.generation.sampling import SamplingOptions


@dataclass(frozen=True, kw_only=True)
class Named:
    names: tuple[str, ...]
    size: int = 3


def test_a_table_becomes_settings():
    assert from_table(SamplingOptions, {"top_p": 0.5}, where="x.toml") == SamplingOptions(top_p=0.5)


def test_lists_become_tuples():
    assert from_table(Named, {"names": ["a", "b"]}, where="x.toml").names == ("a", "b")


@pytest.mark.parametrize(
    ("kind", "table", "message"),
    [
        (SamplingOptions, {"temprature": 1.0}, r"x\.toml: unknown setting 'temprature'; choose from temperature, "),
        (SamplingOptions, {"temperature": 0}, r"x\.toml: temperature must be in 0\.05\.\.5, got 0"),
        (SamplingOptions, {"temperature": "warm"}, r"x\.toml: "),
        (Named, {}, r"x\.toml: .*missing.*names"),
    ],
)
def test_a_bad_table_says_where_and_why(kind, table, message):
    with pytest.raises(ConfigError, match=message):
        from_table(kind, table, where="x.toml")


def test_a_toml_file_is_read(tmp_path):
    (tmp_path / "x.toml").write_text('[training]\nrun = "été"\n', encoding="utf-8")
    assert read_toml(tmp_path / "x.toml") == {"training": {"run": "été"}}


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, r"x\.toml: no such file"), (b"run = ", r"x\.toml: "), (b"run = '\xff'", r"x\.toml: ")],
)
def test_a_file_that_is_not_toml_is_refused_in_one_line(tmp_path, content, message):
    if content is not None:
        (tmp_path / "x.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        read_toml(tmp_path / "x.toml")
    assert "\n" not in str(caught.value)


def test_a_folder_is_not_a_file_of_settings(tmp_path):
    with pytest.raises(ConfigError, match="Is a directory"):
        read_toml(tmp_path)
