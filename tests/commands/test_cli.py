import argparse
import dataclasses
import re
import subprocess
import sys

import pytest
from PIL import Image

from imagemusic.audio.synthesis import SYNTHESIZERS
from imagemusic.commands import cli, compose, info
from imagemusic.commands.options import comma_list
from imagemusic.commands.terminal import spell_out
from imagemusic.compose.options import ComposeOptions
from imagemusic.errors import ConfigError
from imagemusic.export.formats import EXPORTERS
from imagemusic.generation.backends import BACKENDS, DEFAULT
from imagemusic.music.dials import DIALS
from imagemusic.music.ensembles import ENSEMBLES


def help_of(command, capsys):
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    return " ".join(capsys.readouterr().out.split())


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_help_loads_nothing_heavy():
    heavy = {"numpy", "torch", "gradio", "onnxruntime", "PIL", "tqdm", "symusic"}
    code = "import sys; from imagemusic.commands import cli; cli.build_parser().format_help(); "
    code += f"print({heavy!r} & sys.modules.keys())"
    assert run_python(code).stdout.strip() == "set()"


def test_the_defaults_in_the_help_are_those_of_the_options():
    defaults = {field.name: field.default for field in dataclasses.fields(ComposeOptions)}
    for flag, field, _, _, meaning in compose.COMPOSE_OPTIONS:
        if isinstance(defaults[field], str):
            assert f"(default {defaults[field]}" in meaning, flag
        elif defaults[field] is not None:
            assert f"(default {defaults[field]:g})" in meaning, flag


def test_help_names_every_format_and_synthesizer(capsys):
    text = help_of("compose", capsys)
    assert f"of {', '.join(name for name in EXPORTERS if name != 'json')} (default" in text
    assert all(name in text for name in ("auto", *SYNTHESIZERS))


def test_the_dials_and_ensembles_in_the_help_are_those_there_are():
    assert compose.DIAL_NAMES == DIALS
    meaning = next(row[-1] for row in compose.COMPOSE_OPTIONS if row[0] == "--ensemble")
    assert meaning.startswith(f"{', '.join(ENSEMBLES[:-1])} or {ENSEMBLES[-1]} (")


def test_the_backends_in_the_help_are_those_there_are(capsys):
    meaning = help_of("compose", capsys).partition("--backend NAME what runs the decoder: ")[2]
    assert meaning.startswith(f"int8, onnx (fp32) or torch (default {DEFAULT})")
    assert BACKENDS == ("int8", "onnx", "torch")


def commands_of(parser, name=""):
    """Every command below a parser, by what a user types."""
    found = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, command in action.choices.items():
                found |= {f"{name} {word}".strip(): command} | commands_of(command, f"{name} {word}".strip())
    return found


def test_the_help_of_every_command_has_examples_of_that_command():
    for name, command in commands_of(cli.build_parser()).items():
        first, *lines = command.epilog.splitlines()
        assert first == "examples:", name
        assert any(re.match(rf"  imagemusic {name}( |$)", line) for line in lines), name


@pytest.mark.parametrize(
    ("line", "old", "new", "field", "value"),
    [
        ("compose a.jpg --out o", "--engine fluidsynth", "--synth", "synth", "fluidsynth"),
        ("render a.mid", "--engine fluidsynth", "--synth", "synth", "fluidsynth"),
        ("compose a.jpg --out o", "--decoder-engine onnx", "--backend", "backend", "onnx"),
        ("compose a.jpg --out o", "--recurrence 2", "--repetition-bonus", "repetition_bonus", 2.0),
        ("data build set", "--engine ray", "--executor", "executor", "ray"),
        ("train --data set", "--from-chance", "--from-scratch", "from_scratch", True),
    ],
)
def test_an_old_name_of_an_option_is_read_with_a_notice_and_not_shown(line, old, new, field, value, capsys):
    parser = cli.build_parser()
    arguments = parser.parse_args([*line.split(), *old.split()])
    assert getattr(arguments, field) == value
    assert capsys.readouterr().err == (
        f"imagemusic: {old.split()[0]} is called {new} now; the old name is read until version 0.3\n"
    )
    words = [word for word in line.split() if word in ("compose", "render", "data", "build", "train")]
    assert old.split()[0] not in commands_of(parser)[" ".join(words)].format_help()
    assert getattr(parser.parse_args([*line.split(), new, *old.split()[1:]]), field) == value
    assert capsys.readouterr().err == ""


def test_an_option_that_is_not_given_is_left_to_the_library():
    arguments = cli.build_parser().parse_args(["compose", "a.jpg", "--out", "o", "--seconds", "5"])
    assert arguments.seconds == 5
    assert not hasattr(arguments, "temperature")


def test_a_known_error_is_one_line_and_status_one(monkeypatch, capsys):
    def fail(arguments):
        raise ConfigError("cat.jpg: too\ngood")

    monkeypatch.setattr(info, "run_info", fail)
    assert cli.main(["info"]) == 1
    assert capsys.readouterr().err == "imagemusic: error: cat.jpg: too good\n"


def test_a_warning_of_the_package_is_one_line_and_no_error(monkeypatch, capsys):
    import warnings

    from imagemusic.errors import ImageMusicWarning

    def warn(arguments):
        warnings.warn("step.onnx: stale", ImageMusicWarning, stacklevel=1)
        return 0

    monkeypatch.setattr(info, "run_info", warn)
    assert cli.main(["info"]) == 0
    assert capsys.readouterr().err == "imagemusic: step.onnx: stale\n"


def test_an_interruption_is_quiet_and_has_the_shell_s_status(monkeypatch, capsys):
    def interrupt(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(info, "run_info", interrupt)
    assert cli.main(["info"]) == 130
    assert capsys.readouterr().err == "imagemusic: interrupted\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: COMMAND"),
        (["compose"], "required: COVER, --out"),
        (["compose", "a.jpg", "--out", "o", "--seconds", "long"], "--seconds: invalid float value: 'long'"),
        (["sing"], "invalid choice: 'sing'"),
    ],
)
def test_wrong_arguments_are_one_line_and_status_two(arguments, message, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seconds", "-1"], "seconds must be"),
        (["--temperature", "0"], "temperature must be"),
        (["--format", "mid,aiff"], "unknown format 'aiff'; choose from mid, wav"),
        (["--synth", "harp"], "unknown synthesizer 'harp'"),
        (["--soundfont", "none.sf2"], "none.sf2: cannot read the SoundFont"),
        (["--checkpoint", "no/such/model"], "no/such/model"),
        (["--variations", "0"], "variations must be"),
        (["--dial", "sparkle=0.5"], "unknown dial 'sparkle'; choose from valence"),
        (["--dial", "arousal=1.5"], "dial arousal must be in -1..1, got 1.5"),
        (["--dial", "arousal=nan"], "dial arousal must be in -1..1, got nan"),
        (["--dial", "arousal"], "dial 'arousal' is not a name and a number, such as arousal=0.8"),
        (["--dial", "arousal=high"], "dial 'arousal=high' is not a name and a number"),
        (["--dial", "=1"], "unknown dial ''"),
        (["--bars", "8", "--seconds", "60"], "bars and seconds both set the length: leave out --bars or --seconds"),
        (["--range", "C4-C4", "--key", "D"], "range C4-C4 has no note of D major"),
        (["--instruments", "piano,kazoo"], "unknown instrument 'kazoo'"),
        (["--tempo", "60", "--dial", "tempo=1"], "dial tempo: tempo_bpm 60.0 decides it; leave out one of the two"),
        (["--backend", "steam"], "'steam'; choose from int8, onnx, torch"),
        (["--ensemble", "kazoos"], "unknown ensemble 'kazoos'; choose from piano"),
    ],
)
def test_a_setting_out_of_range_is_refused_before_anything_is_written(arguments, message, tmp_path, capsys):
    picture = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(picture)
    assert cli.main(["compose", str(picture), "--out", str(tmp_path / "out"), *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.glob("out/*"))


def test_a_list_of_formats_is_split_at_its_commas():
    assert comma_list("mid, .WAV,,mid") == ("mid", "wav")


def test_a_nested_table_is_spelled_line_by_line():
    assert list(spell_out({"a": 1, "b": {"c": ["x", "y"]}})) == ["a: 1", "b:", "  c: x, y"]


def test_training_without_torch_says_what_to_install():
    code = "import sys; sys.modules['torch'] = None; from imagemusic.commands.cli import main; "
    code += "sys.exit(main(['train', 'x.toml']))"
    finished = run_python(code)
    assert finished.returncode == 1
    assert finished.stderr.startswith("imagemusic: error: training needs torch; run: pip install")
