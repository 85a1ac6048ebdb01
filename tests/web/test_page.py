"""The page, and a server of it that is really asked."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import gradio_client
import pytest
from PIL import Image

from imagemusic.audio.synthesis import has_sound
from imagemusic.errors import ImageError
from imagemusic.music.midi import load_midi
from imagemusic.web import page


def start(port, checkpoint, *more):
    """Start `imagemusic app` in a process of its own, as anyone would; gradio leaves event loops open in ours."""
    command = [sys.executable, "-m", "imagemusic", "app", "--port", str(port), "--checkpoint", str(checkpoint), *more]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    # What a shell runs in the background ignores interrupts, and so would a child of these tests.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


@pytest.fixture(scope="module")
def server(tiny_checkpoint):
    """The port of a running page."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with start(port, tiny_checkpoint) as process:
        assert f"http://127.0.0.1:{port}" in process.stdout.readline()
        yield port
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()  # or leaving this block would wait for ever
    assert process.returncode == 0  # interrupting it is the normal way to end it


@pytest.fixture(scope="module")
def client(server, tmp_path_factory):
    downloads = tmp_path_factory.mktemp("downloads")
    client = gradio_client.Client(f"http://127.0.0.1:{server}", verbose=False, download_files=downloads)
    yield client
    client.close()


@pytest.fixture
def sky(tmp_path):
    path = tmp_path / "sky.png"
    Image.new("RGB", (40, 40), "skyblue").save(path)
    return path


def compose(client, path, seconds=10, seed=3, **more):
    return client.predict(gradio_client.handle_file(path), seconds, seed, 1.0, 1.5, **more, api_name="/compose")


def test_a_picture_that_is_sent_comes_back_as_music(client, sky):
    audio, roll, midi, sound, record, readout, thumbnails = compose(client, sky)
    assert load_midi(Path(midi)).seconds == pytest.approx(10, abs=1)
    assert Path(midi).name == "sky.mid"
    with Image.open(roll) as image:
        assert image.width >= 800
    assert "valence" in readout and "ensemble" in readout
    assert Path(record).suffix == ".json"
    assert len(thumbnails) == 1
    if has_sound():
        assert Path(audio).suffix == Path(sound).suffix == ".wav"


def test_the_same_seed_gives_the_same_piece_on_the_page(client, sky):
    first, second = (Path(compose(client, sky)[2]).read_bytes() for _ in range(2))
    assert first == second


def test_an_empty_seed_counts_as_zero(client, sky):
    without, zero = (Path(compose(client, sky, seed=seed)[2]).read_bytes() for seed in (None, 0))
    assert without == zero


def test_dials_and_who_plays_can_be_set(client, sky):
    record = json.loads(Path(compose(client, sky, dials=["arousal=0.8"], ensemble="piano")[4]).read_text())
    assert record["dials"]["arousal"] == {"value": 0.8, "source": "you", "conditioned": False}
    assert record["ensemble"] == {"name": "piano", "source": "you"}


def test_a_dial_that_there_is_not_is_refused(client, sky):
    with pytest.raises(gradio_client.exceptions.AppError, match="unknown dial 'sparkle'; choose from valence"):
        compose(client, sky, dials=["sparkle=1"])


def test_what_is_asked_for_exactly_is_kept(client, sky):
    asked = {"key": "D dorian", "meter": "3/4", "tempo_bpm": 90, "bars": 6, "instruments": "piano, cello"}
    midi, _, record = compose(client, sky, **asked, pitch_range="C3-C6", polyphony=2)[2:5]
    score = load_midi(Path(midi))
    assert score.end == 6 * 3 * score.ticks_per_beat
    assert sorted(track.program for track in score.tracks) == [0, 42]
    assert {pitch % 12 for track in score.tracks for pitch in track.notes[:, 1].tolist()} <= {0, 2, 4, 5, 7, 9, 11}
    assert json.loads(Path(record).read_text())["options"]["key"] == "D dorian"


def test_what_cannot_be_met_is_said_on_the_page(client, sky):
    with pytest.raises(gradio_client.exceptions.AppError, match="range C4-C4 has no note of D major"):
        compose(client, sky, key="D", pitch_range="C4-C4")


def test_a_file_that_is_no_picture_is_refused_by_its_own_name(client, tmp_path):
    (tmp_path / "poem.png").write_text("no picture")
    with pytest.raises(gradio_client.exceptions.AppError, match=r"^poem\.png: not a picture"):
        compose(client, tmp_path / "poem.png")


@pytest.mark.parametrize("seconds", [5, 100_000])
def test_the_server_keeps_the_length_within_its_limits(client, sky, seconds):
    with pytest.raises(gradio_client.exceptions.AppError, match=r"is (less|greater) than m(in|ax)imum value"):
        compose(client, sky, seconds)


def test_no_picture_is_said_kindly(client):
    with pytest.raises(gradio_client.exceptions.AppError, match="No picture yet"):
        client.predict(None, 10, 3, 1.0, 1.5, api_name="/compose")


def test_what_a_browser_cannot_show_is_shown_as_png(tmp_path):
    Image.new("RGB", (8, 6), "red").save(tmp_path / "scan.tiff")
    shown = page.check_picture(str(tmp_path / "scan.tiff"))
    path = next(shown)
    with Image.open(path) as image:
        assert (image.format, image.size, path.name) == ("PNG", (8, 6), "scan.png")
    shown.close()
    assert not path.exists()


def test_what_a_browser_can_show_stays_as_it_is(sky):
    assert list(page.check_picture(str(sky))) == [str(sky)]


def test_the_path_of_an_upload_is_not_told():
    path = Path("/secret/upload/cat.jpg")
    assert page.in_short(ImageError(f"{path}: damaged"), path) == "cat.jpg: damaged"


def test_a_port_that_is_taken_is_said_in_one_line(server, tiny_checkpoint):
    with start(server, tiny_checkpoint) as process:
        errors = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert errors.startswith(f"imagemusic: error: 127.0.0.1:{server}: cannot listen there (Address already in use)")
    assert errors.count("\n") == 1


def test_more_bars_than_the_page_has_seconds_for_are_refused_before_composing(client, sky):
    message = "so many bars last 320 s, and this page offers 180; ask for fewer"
    with pytest.raises(gradio_client.exceptions.AppError, match=message):
        compose(client, sky, bars=40, meter="4/4", tempo_bpm=30)


def test_form_ending_and_takes_can_be_set(client, sky):
    options = json.loads(Path(compose(client, sky, form="AABA", ending="fade", takes="2")[4]).read_text())["options"]
    assert (options["form"], options["ending"], options["takes"]) == ("A A B A", "fade", 2)
