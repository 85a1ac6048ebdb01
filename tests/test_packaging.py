"""What an installation brings, and that the wheel alone works outside the checkout."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tomllib
import urllib.request
from importlib.metadata import version
from pathlib import Path

import pytest

from imagemusic.audio.synthesis import has_sound
from imagemusic.music.midi import load_midi, save_midi
from tests import tiny

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


# The wheel, installed into a fresh environment; its libraries are those of the environment that runs the tests.


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Build the wheel from a copy of the sources and install it; return a function that runs `imagemusic`."""
    work = tmp_path_factory.mktemp("wheel")
    source = work / "source"
    shutil.copytree(ROOT / "imagemusic", source / "imagemusic", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    isolation = ["--no-build-isolation"] if setuptools_version() >= 77 else []
    run(*pip, "wheel", "--quiet", "--no-deps", *isolation, "--wheel-dir", work, source)
    (wheel,) = work.glob("imagemusic-*.whl")
    shutil.rmtree(source)
    environment = work / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    python = environment / "bin" / "python"
    run(*pip, "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    (packages,) = environment.glob("lib/python*/site-packages")
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "libraries.pth").write_text("\n".join(sorted(libraries)) + "\n")
    where = run(python, "-c", "import imagemusic; print(imagemusic.__file__)", cwd=work)
    assert Path(where.strip()).is_relative_to(packages), where
    return environment / "bin" / "imagemusic"


def setuptools_version():
    try:
        return int(version("setuptools").partition(".")[0])
    except ModuleNotFoundError:
        return 0


def outside():
    """Return the environment variables without those that would lead to the checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def run(*command, cwd=None, status=0):
    finished = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, cwd=cwd, env=outside()
    )
    assert finished.returncode == status, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "cover.jpg"
    shutil.copy(ROOT / "imagemusic" / "resources" / "examples" / "meadow.jpg", path)
    return path


def files_of(package):
    return {path.relative_to(package) for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"}


def test_the_wheel_holds_every_file_of_the_package(installed):
    (package,) = installed.parents[1].glob("lib/python*/site-packages/imagemusic")
    assert files_of(package) == files_of(ROOT / "imagemusic")


def test_an_installed_wheel_composes_looks_and_renders(installed, picture, tmp_path):
    run(installed, "compose", picture, "--out", "music", "--seconds", "8", "--format", "mid", cwd=tmp_path)
    assert load_midi(tmp_path / "music" / "cover.mid").note_count > 0
    assert "the same MIDI bytes again" in run(installed, "replay", "music/cover.json", cwd=tmp_path)
    (seen,) = run(installed, "look", picture, "--json", "--out", "seen", cwd=tmp_path).splitlines()
    assert json.loads(seen)["seen"].keys() == {"valence", "arousal", "tempo"}
    assert "decoder:" in run(installed, "info", cwd=tmp_path)
    if has_sound():
        run(installed, "render", "music/cover.mid", cwd=tmp_path)
        assert (tmp_path / "music" / "cover.wav").stat().st_size > 100_000


def test_an_installed_wheel_builds_a_data_set(installed, picture, tmp_path):
    for library in ("pyarrow", "rapidfuzz", "requests", "tenacity"):
        pytest.importorskip(library)
    for number in range(3):
        folder = tmp_path / "midi" / f"Artist {number}"
        folder.mkdir(parents=True)
        save_midi(tiny.tune(number), folder / "Song.mid")
        shutil.copy(picture, folder / "cover.jpg")
    run(installed, "data", "match", "midi", "--source", "folder", "--out", "set", cwd=tmp_path)
    assert "3 matched" in run(installed, "data", "build", "set", "--workers", "1", cwd=tmp_path)
    assert "MIDI files: 3" in run(installed, "data", "stats", "set", "--plot", "set.svg", cwd=tmp_path)
    assert run(installed, "data", "show", "set", cwd=tmp_path).strip() == "set/show.html"
    run(installed, "data", "export", "set", cwd=tmp_path)


def test_an_installed_wheel_opens_the_page_with_its_example_pictures(installed, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    environment = outside() | {"PYTHONUNBUFFERED": "1"}
    command = [installed, "app", "--port", str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
    ) as process:
        try:
            assert f"http://127.0.0.1:{port}" in process.stdout.readline()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/config", timeout=60) as answer:
                assert "meadow.jpg" in answer.read().decode()
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
    assert process.returncode in (0, 130)  # 130 where the interrupt came before the server was waiting for it
