"""Every study has a question, and a quick run that writes the figures of docs/results, or a reason why it has none."""

import json
from pathlib import Path

import pytest

from imagemusic.research.data_sets import DATA_SETS
from imagemusic.research.studies import STUDIES
from imagemusic.research.study import load_study

RESULTS = Path(__file__).parents[3] / "docs" / "results"
HELPERS = {
    "__init__", "distortions", "near_misses", "sample_sets", "timing", "reordering", "requested_chords",
    "structure_table",
}  # fmt: skip
REQUIRES = {"decoders": "miditok", "saliency": "captum", "matching": "rapidfuzz", "gathering": "spotipy",
            "pianoroll": "scipy", "preparation": "pyarrow", "takes_judge": "sklearn", "form_kept": "sklearn",
            "ours_or_real": "sklearn", "styles": "sklearn"}  # fmt: skip
# Corpora and sets are keys of their own there, and only some of them are here.
BY_SET = {"corpora": {"mutopia", "emopia", "vgmidi"}, "pianoroll": {"jsb", "shape", "recipe"}}


def words_of(name, root):
    """Options that a study needs on data as small as these."""
    return {
        "bits_per_note": ["--split", "validation"],
        "compose": ["--results", root / "none"],
        "corpora": ["--only", "mutopia", "emopia", "vgmidi"],
        "decoders": ["--config", root / "config.toml"],
        "engines": ["--engines", "onnx", "int8"],
        "pianoroll": ["--sets", "jsb"],
        "memory": ["--only", "all on", "without exact", "plan, all on"],
    }.get(name, [])


def test_every_module_but_the_helpers_is_a_registered_study():
    modules = {path.stem for path in (Path(__file__).parents[3] / "imagemusic/research/studies").glob("*.py")}
    assert modules - HELPERS == set(STUDIES)


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_a_question_known_needs_and_a_quick_run_or_a_reason(name):
    pytest.importorskip(REQUIRES.get(name, "torch"))
    study = load_study(name)
    assert study.question.endswith("?") and study.name == name
    assert set(study.needs) <= set(DATA_SETS)
    assert not (study.quick and study.not_quick)


@pytest.mark.parametrize("name", STUDIES)
def test_a_quick_run_writes_the_figures_of_docs_results(name, run, data_root, checkpoint, tmp_path):
    pytest.importorskip(REQUIRES.get(name, "torch"))
    study = load_study(name)
    if study.not_quick:
        pytest.skip(study.not_quick)
    words = ["--quick", "--data", data_root, "--checkpoint", checkpoint, *words_of(name, data_root)]
    status, out, err = run(name, *words)
    if name != "controls":  # an untrained model may miss a control
        assert status == 0, err
    figures = json.loads((tmp_path / f"{name}.json").read_text())
    published = RESULTS / study.result_file
    kept = json.loads(published.read_text()) if published.exists() else figures  # not run in full yet
    from_other_results = {"window_ratio", "bits_per_note", "ratio_to_markov", "prepare_notes_per_second"}
    expected = kept.keys() - {"command", "commit", "ray_speedup"} - (from_other_results if name == "compose" else set())
    assert figures.keys() - {"how"} == BY_SET.get(name, expected - {"how"})
    assert figures["how"]["commit"] and out.endswith(f"{name}.json\n")
    assert study.report(kept).count("|") > 3
