from pathlib import Path

import pytest

from tests import tiny


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A few tunes, prepared; the last is held out for validation."""
    return tiny.write_prepared(tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="session")
def prepared_folder(prepared):
    return Path(prepared.rows.filename).parent


@pytest.fixture(scope="session")
def pictures_file(tmp_path_factory):
    return tiny.write_pictures(tmp_path_factory.mktemp("pictures") / "pictures.npz")
