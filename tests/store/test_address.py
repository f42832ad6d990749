from pathlib import Path

import pytest

from tests.store.conftest import make_run
from vlm4vla.core.errors import StoreError
from vlm4vla.store import Store, reading, reading_if_any
from vlm4vla.store.files import file_of


@pytest.mark.parametrize(
    ("where", "file"),
    [
        ("a/b.db", "a/b.db"),
        ("/a/b.db", "/a/b.db"),
        (Path("/a/b.db"), "/a/b.db"),
        ("sqlite:///a/b.db", "a/b.db"),
        ("sqlite:////a/b.db", "/a/b.db"),
        ("sqlite+pysqlite:////a/b c.db", "/a/b c.db"),
        ("C:/x.db", "C:/x.db"),
    ],
)
def test_a_path_and_a_url_name_a_file(where, file):
    assert file_of(where) == Path(file)


def test_the_default_is_the_variable_then_the_folder(monkeypatch):
    monkeypatch.setenv("VLM4VLA_STORE", "/elsewhere/b.db")
    assert file_of() == Path("/elsewhere/b.db")
    monkeypatch.setenv("VLM4VLA_STORE", "sqlite:////elsewhere/c.db")
    assert file_of() == Path("/elsewhere/c.db")
    for nothing in ("", None):
        if nothing is None:
            monkeypatch.delenv("VLM4VLA_STORE")
        else:
            monkeypatch.setenv("VLM4VLA_STORE", nothing)
        assert file_of() == Path("results/bench.db")


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("postgresql://me:secret@host/bench", "PostgreSQL is not supported yet"),
        ("postgresql+psycopg://me:secret@host/bench", "PostgreSQL is not supported yet"),
        ("mysql://me:secret@host/bench", "no store of the kind mysql://"),
        ("sqlite://", "does not name a file"),
        ("sqlite:///", "does not name a file"),
        ("sqlite:///:memory:", "does not name a file"),
        ("sqlite://host/b.db", "does not name a file"),
        ("sqlite:///b.db?mode=ro", "does not name a file"),
    ],
)
def test_other_urls_are_refused_with_what_to_use(where, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match=said) as caught:
        Store.open(where, create=True)
    assert "--store results/bench.db" in caught.value.fix
    assert "secret" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_store_opened_by_url_is_the_file(tmp_path):
    with Store.open(f"sqlite:///{tmp_path}/bench.db", create=True) as store:
        store.begin(make_run())
        assert store.name == str(tmp_path / "bench.db")
    with Store.open(tmp_path / "bench.db") as store:
        assert [run.id for run in store.runs()] == ["run-1"]


def test_artifacts_lie_beside_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b").mkdir()
    (tmp_path / "a").symlink_to("b")
    with Store.open("a/bench.db", create=True) as store:
        assert store.artifacts == tmp_path.resolve() / "b"
        assert store.videos("run-1") == store.artifacts / "videos" / "run-1"


def test_reading_leaves_an_open_store_open_and_closes_what_it_opened(store):
    store.begin(make_run())
    with reading(store) as same, reading_if_any(store) as also:
        assert same is store and also is store
    assert len(store.runs()) == 1
    with reading(store.name) as other:
        assert other is not store and len(other.runs()) == 1


def test_reading_what_is_not_there(tmp_path):
    with pytest.raises(StoreError, match="There is no store"), reading(tmp_path / "bench.db"):
        pass
    with reading_if_any(tmp_path / "bench.db") as nothing:
        assert nothing is None
    assert not list(tmp_path.iterdir())
