"""Rules of the house that no linter knows: import direction, size, words."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "vlm4vla"
MODULES = sorted(PACKAGE.rglob("*.py"))

ALLOWED = {
    "core": set(),
    "suites": {"core"},
    "simulators": {"core"},
    "environments": {"core", "simulators"},
    "models": {"core"},
    "policies": {"core", "models"},
    "rollout": {"core", "simulators", "policies"},
    "store": {"core", "suites"},
    "stats": set(),
    "reports": {"core", "store", "stats", "suites"},
    "runs": {"core", "suites", "simulators", "policies", "rollout", "store", "demonstrations"},
    "demonstrations": {"core", "rollout"},
    "training": {"core", "models", "demonstrations"},
}
"""Package -> packages it may import; `cli` and the top level may import all."""

EXCEPTIONS = {
    ("simulators/gym.py", "suites"),  # the facade stands in the harness's place
    ("policies/replay.py", "store"),  # what it replays lies there
}


def name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def imports(path: Path) -> set[str]:
    """Our packages that the module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    ours = {module.split(".")[1] for module in found if module.startswith("vlm4vla.")}
    return {part for part in ours if (PACKAGE / part).is_dir()}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_point_one_way(path):
    package = path.relative_to(PACKAGE).parts[0]
    if package not in ALLOWED:
        assert package in {"cli", "studies"} or path.parent == PACKAGE, (
            "a new package needs its direction"
        )
        return
    wrong = imports(path) - ALLOWED[package] - {package}
    assert {part for part in wrong if (name(path), part) not in EXCEPTIONS} == set()


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_fits_in_the_head(path):
    assert len(path.read_text().splitlines()) <= 350
    assert path.stem not in {"utils", "helpers", "common", "misc"}


def committed() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-c", "-o", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def test_nothing_names_the_place_it_was_made_in():
    """A user has no such folders. `.ci/run` alone knows what lies beside the checkout."""
    words = re.compile("/" + "work/|" + r"\.\./" + "shared")
    texts = [p for p in committed() if p.suffix not in {".png", ".jpg", ".npz", ".npy", ".gif"}]
    guilty = [
        str(path.relative_to(ROOT))
        for path in texts
        if path != ROOT / ".ci" / "run" and words.search(path.read_text(errors="replace"))
    ]
    assert guilty == []


def test_no_store_and_no_big_file_is_committed():
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    stores = [path for path in tracked if ".db" in Path(path).suffixes]
    assert stores == ["analysis/store.db"]  # small, and what the notebooks conclude from
    big = {p: (ROOT / p).stat().st_size for p in tracked if (ROOT / p).is_file()}
    assert {p: size for p, size in big.items() if size > 2_000_000} == {}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_nothing_is_swallowed(path):
    """No bare `except`, and no broad one whose body does nothing."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"bare except in line {node.lineno}"
            broad = isinstance(node.type, ast.Name) and node.type.id in {
                "Exception",
                "BaseException",
            }
            idle = all(isinstance(s, ast.Pass) for s in node.body)
            assert not (broad and idle), f"swallowed in line {node.lineno}"


HEAVY = {
    "torch",
    "transformers",
    "sapien",
    "pybullet",
    "mani_skill",
    "ray",
    "pandas",
    "pyarrow",
    "scipy",
    "matplotlib",
    "av",
}


@pytest.mark.parametrize("command", [["list"], ["--help"], ["env", "list"], ["run", "--help"]])
def test_quick_verbs_import_nothing_heavy(command, tmp_path):
    code = (
        "import sys; sys.argv = ['bench', *sys.argv[1:]]\n"
        "from vlm4vla.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print('loaded:', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.rpartition("loaded:")[2].split()
    assert "vlm4vla.cli.app" in loaded
    assert {module.split(".")[0] for module in loaded} & HEAVY == set()


def test_ci_and_makefile_are_what_the_readme_says():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"setup", "demo", "test", "lint", "perf"} <= targets
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_constraints_pin_every_requirement():
    """What `make setup` installs is pinned: the same today and in a year."""
    from packaging.utils import canonicalize_name

    from vlm4vla.environments.python_packages import pins, requirements

    asked = {
        canonicalize_name(r.name) for x in ("", "emoji", "models", "dev") for r in requirements(x)
    }
    assert {"torch", "ray", "pytest", "gymnasium", "av"} <= asked
    assert asked - set(pins()) == set()
    assert [p for p in pins() if p.startswith("nvidia-") and p != "nvidia-ml-py"] == []
