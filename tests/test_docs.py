"""What README and docs name exists: paths, links, commands, the rooms of the tree, the files of data/."""

import json
import re
import shlex
from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import pytest

import imagemusic
from imagemusic.commands.cli import build_parser
from imagemusic.events.codec import PITCH, SIZES
from imagemusic.events.context import AddedNote
from imagemusic.events.grammar import GrammarState, Plan
from imagemusic.export.source import ExportSource
from imagemusic.generation.processors import NextEvent
from imagemusic.music.score import Note, Score, Track
from imagemusic.research.study import load_study, parse_options, run_study

ROOT = Path(__file__).parents[1]
CONTRIBUTING = ROOT / "docs" / "contributing.md"
EXAMPLE_STUDY = "temperature"  # of docs/contributing.md
PAGES = sorted([ROOT / "README.md", ROOT / "data" / "README.md", *(ROOT / "docs").rglob("*.md")])

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(r"(?<![\w/.<-])((?:imagemusic|scripts|tests|docs|data)/[\w./-]*\w/?)")
COMMAND = re.compile(r"(?:^|[\s/])imagemusic (?!import )(?=[a-z-])(.*)$")
GENERATED = re.compile(r"<!-- tables -->.*<!-- end of tables -->", re.S)


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def text_of(page):
    return page.read_text(encoding="utf-8")


def code_lines(text):
    """Lines of fenced and of indented code."""
    for _, block in FENCED.findall(text):
        yield from block.splitlines()
    yield from (line.strip() for line in FENCED.sub("", text).splitlines() if line.startswith("    "))


def commands_of(text):
    """Arguments of every `imagemusic ...` line in code, and of spans that hold more than the name of a command."""
    lines = list(code_lines(text))
    lines += [span for span in SPAN.findall(FENCED.sub("", text)) if re.search(r"[./=]| --?\w", span)]
    for line in lines:
        if (found := COMMAND.search(line)) and "COMMAND" not in line:
            yield shlex.split(found[1], comments=True)


def python_of(page):
    return [block for language, block in FENCED.findall(text_of(page)) if language == "python"]


def code_of(line, **names):
    """Names that a block of docs/contributing.md defines."""
    exec(next(block for block in python_of(CONTRIBUTING) if line in block), names)
    return names


def slug(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def tree():
    """Paths that the tree of the package in README names."""
    block = next(block for _, block in FENCED.findall(text_of(ROOT / "README.md")) if block.startswith("imagemusic/\n"))
    room = ""
    for line in block.splitlines()[1:]:
        depth, name = len(line) - len(line.lstrip()), line.split()[0]
        if depth == 0:
            yield Path(name)
        elif depth == 2:
            room = name
            yield Path("imagemusic", name)
        elif depth == 4:
            yield Path("imagemusic", room, name)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_path_of_the_repository_that_a_page_names_exists(page):
    named = set(PATH.findall(text_of(page)))
    assert [path for path in sorted(named) if not any((base / path).exists() for base in (ROOT, page.parent))] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_relative_link_leads_to_a_file_and_to_a_heading(page):
    for link in LINK.findall(text_of(page)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in {slug(line.lstrip("# ")) for line in text_of(target).splitlines() if line[:1] == "#"}, link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_command_line_of_a_page_parses(page):
    parser = build_parser()
    for arguments in commands_of(text_of(page)):
        try:
            parsed = parser.parse_args(arguments)
            if arguments[:2] == ["study", "run"] and parsed.name != EXAMPLE_STUDY:
                parse_options(load_study(parsed.name), ArgumentParser(), parsed.words)
        except SystemExit:
            pytest.fail(f"imagemusic {shlex.join(arguments)}")


def test_command_lines_are_found_in_code_and_in_spans():
    text = "`imagemusic look`, `imagemusic info A/b`\n\n```\nuvx --from a.whl imagemusic app --port 1  # page\n```\n"
    assert list(commands_of(text)) == [["app", "--port", "1"], ["info", "A/b"]]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_lines_of_a_page_fit_into_120_columns_except_tables_links_and_commands(page):
    lines = GENERATED.sub("", text_of(page)).splitlines()
    prose = [line for line in lines if not line.lstrip().startswith("|") and not re.search(r"\]\(|imagemusic ", line)]
    assert [line for line in prose if len(line) > 120] == []


def test_the_tree_names_every_room_and_every_file_at_the_root_of_the_package():
    package = ROOT / "imagemusic"
    rooms = {path for path in package.iterdir() if path.is_dir() and any(path.glob("[!_.]*"))}
    files = set(package.glob("[!_]*.py"))
    assert {path.relative_to(ROOT) for path in rooms | files} <= set(tree())


def test_what_the_tree_names_exists():
    assert [path for path in tree() if not (ROOT / path).exists()] == []


def test_the_python_of_readme_compiles_and_uses_public_names():
    for block in python_of(ROOT / "README.md"):
        compile(block, "README.md", "exec")
        for names in re.findall(r"^from imagemusic import (.+)$", block, re.M):
            assert {name.strip() for name in names.split(",")} <= set(imagemusic.__all__)


def test_the_page_of_data_names_every_file_of_its_folder():
    text = text_of(ROOT / "data" / "README.md")
    files = {path.name for path in (ROOT / "data").iterdir()} - {"README.md"}
    assert [name for name in sorted(files) if f"`{name}" not in text] == []


def test_the_page_of_results_names_every_file_of_its_folder():
    folder = ROOT / "docs" / "results"
    links = {link.rstrip("/") for link in LINK.findall(text_of(folder / "README.md"))}
    assert sorted({path.name for path in folder.iterdir()} - {"README.md"} - links) == []


def test_the_study_of_contributing_runs(tmp_path):
    study = code_of("class Temperature", __name__=f"imagemusic.research.studies.{EXAMPLE_STUDY}")["STUDY"]
    words = ["--quick", "--only", "low", "--out", str(tmp_path / "temperature.json"), "--work", str(tmp_path)]
    figures = run_study(study, parse_options(study, ArgumentParser(), words), lambda line: None)
    assert figures["pictures"] == 6 and list(figures["notes"]) == ["low"] and figures["notes"]["low"] > 6
    assert "how" in json.loads((tmp_path / "temperature.json").read_text())


def test_the_export_format_of_contributing_writes_a_row_a_note():
    score = Score([Track([Note(0, 60, 24, 80), Note(24, 62, 12, 70)], 0, name="Melody")])
    lines = code_of("def export_csv")["export_csv"](ExportSource(score=score)).decode().splitlines()
    assert lines == ["track,onset,duration,pitch,velocity", "Melody,0,24,60,80", "Melody,24,12,62,70"]


def test_the_logit_processor_of_contributing_keeps_its_rule():
    rule, grammar = code_of("class LeapLimit")["LeapLimit"](semitones=2), GrammarState(Plan(end=960, tempo=1))
    for value in (0, 17, 4, 0, 0, 0, 18, 1, 0, 0, 0, 16, 0, 0, 0, 0, 0):  # the row of a pitched part begins
        grammar.append(value)
    event = NextEvent(grammar)
    event.mask = np.ones(SIZES[PITCH], bool)
    rule.apply(PITCH, np.zeros(SIZES[PITCH]), event)
    assert event.mask.all()  # no last note yet
    rule.update(AddedNote(0, 0, 0, 60, 24, 64, False))
    rule.apply(PITCH, np.zeros(SIZES[PITCH]), event)
    assert np.flatnonzero(event.mask).tolist() == [58, 59, 60, 61, 62]
