"""What an installation brings is said once and meant everywhere."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def required():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return {line.partition("#")[0].strip() for line in lines} - {""}


def test_requirements_hold_the_core_and_every_extra_with_the_same_bounds():
    wanted = set(PROJECT["dependencies"]).union(*PROJECT["optional-dependencies"].values())
    assert wanted <= required()


def test_the_core_does_without_torch():
    assert not [line for line in PROJECT["dependencies"] if "torch" in line or "lightning" in line]


def test_the_check_that_guards_changes_runs_the_tests():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o100, "it must be executable"
    assert "make test" in script.read_text(encoding="utf-8")
