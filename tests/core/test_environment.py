"""Environment files: what ships is valid, and a mistake in one is named."""

from __future__ import annotations

import pytest

from vlm4vla.core.assets import defect
from vlm4vla.core.environment import (
    Asset,
    environment_names,
    load_environment,
    read_environment,
)
from vlm4vla.core.errors import InvalidFile, UnknownName
from vlm4vla.core.files import shipped

GOOD = """
[environment]
name = "w"
apt = ["x"]
[[assets]]
name = "a"
path = "a"
licence = "MIT"
[assets.files]
"x/y" = "{digest}"
""".format(digest="0" * 64)


def test_every_shipped_environment_reads():
    assert {"toy", "grinningface"} <= set(environment_names())
    for name in environment_names():
        environment = load_environment(name)
        assert environment.name == name and environment.summary
        assert all(asset.files and asset.licence for asset in environment.assets)


def test_folders_are_found_in_the_checkout():
    for folder in ("benchmarks", "envs", "results"):
        assert shipped(folder).is_dir()


def test_unknown_names_are_met_with_near_ones():
    with pytest.raises(UnknownName, match="grinningface"):
        load_environment("grinning")
    with pytest.raises(UnknownName, match="widowx250s"):
        load_environment("grinningface").asset("widowx")


def test_a_package_that_went_away_hides_no_other(tmp_path, monkeypatch):
    """Its distribution is left over, and names a folder inside it."""
    about = tmp_path / "gone-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: gone\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[vlm4vla.environments]\ngone = gone_package.inner\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "toy" in environment_names() and "gone" not in environment_names()
    with pytest.raises(UnknownName, match="'gone'"):
        load_environment("gone")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "w"', 'nane = "w"', "no field 'nane'. Did you mean name"),
        ('name = "w"', "", "lacks 'name'"),
        ('apt = ["x"]', 'apt = "x"', "apt cannot be 'x'"),
        (
            'apt = ["x"]',
            'isolation = "docker"',
            "isolation 'docker' is not known. Known: main, venv",
        ),
        ('licence = "MIT"', "", "assets lacks 'licence'"),
        ('"x/y"', '"../y"', "leaves its folder"),
        ('"x/y"', '"/y"', "leaves its folder"),
        ("0" * 64, "12", "no sha256"),
        ("[environment]", "[other]\nk = 1\n[environment]", "no field 'other'"),
        ('apt = ["x"]', "apt = [", "cannot be read"),
    ],
)
def test_mistakes_are_named(tmp_path, old, new, said):
    path = tmp_path / "env.toml"
    path.write_text(GOOD)
    assert read_environment(path).assets[0].files == {"x/y": "0" * 64}
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(InvalidFile, match=said) as error:
        read_environment(path)
    assert str(path) in error.value.message


def test_a_file_is_known_by_its_sha256_or_as_git_knows_it(tmp_path):
    """`printf 'hello\\n' | git hash-object --stdin`, and sha256sum."""
    (tmp_path / "f").write_bytes(b"hello\n")
    blob = "ce013625030ba8dba906f756967f9e9ca394464a"
    sha = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
    for known in (blob, sha):
        assert defect(tmp_path, Asset("a", "a", {"f": known}, "MIT")) is None
    altered = Asset("a", "a", {"f": "0" * 40}, "MIT")
    assert "its git blob id is ce013625030b" in (defect(tmp_path, altered) or "")
