"""Rules of the house that no linter knows: import direction, size, words."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.import_graph import PACKAGE, ROOT, When, circles, dotted, import_graph

TREES = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
GRAPH = import_graph({dotted(path): tree for path, tree in TREES.items()})

FLOOR = {"core", "suites", "simulators", "environments", "models", "policies", "demonstrations"}
ALLOWED = {
    "core": set(),
    "suites": {"core"},
    "simulators": {"core"},
    "environments": {"core", "simulators", "rollout"},
    "models": {"core"},
    "policies": {"core", "models"},
    "demonstrations": {"core", "rollout"},
    "training": {"core", "models", "demonstrations"},
    "rollout": {"core"},
    "store": {"core"},
    "stats": set(),
    "reports": {"core", "store", "stats", "suites"},
    "testing": {"core", "suites", "simulators", "environments", "policies", "rollout"},
    "runs": FLOOR | {"rollout", "store", "stats", "reports", "training"},
    "studies": FLOOR | {"rollout", "store", "stats", "reports", "training", "runs"},
}
"""Package -> packages it may import; `cli` and the top level may import all."""

EXCEPTIONS = {
    ("simulators/gym.py", "suites"),  # the facade stands in the harness's place
    ("simulators/gym.py", "environments"),
    ("policies/replay.py", "store"),  # what it replays lies there
    ("rollout/hosts/host.py", "simulators"),  # the one place that loads a simulator by name
    ("rollout/cluster.py", "policies"),  # and the one that loads a policy
}
# Not right yet; a line goes when its arrow does.
NOT_YET: set[tuple[str, str]] = set()
TOP = "(top)"  # `vlm4vla/__init__.py` and what lies beside it


def name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def imports(path: Path) -> set[str]:
    """Our packages that the module imports, wherever in it."""
    parts = [module.split(".") for module in GRAPH[dotted(path)]]
    return {p[1] if len(p) > 1 and (PACKAGE / p[1]).is_dir() else TOP for p in parts}


def test_every_package_has_its_direction():
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert packages - ALLOWED.keys() == {"cli"}, "a new package needs its direction"


def test_imports_point_one_way():
    wrong = []
    for path in TREES:
        package = path.relative_to(PACKAGE).parts[0]
        if package in ALLOWED:
            others = imports(path) - ALLOWED[package] - {package}
            wrong += [(name(path), p) for p in others if (package, p) not in NOT_YET]
    assert [arrow for arrow in wrong if arrow not in EXCEPTIONS] == []


def test_no_module_imports_itself_over_others():
    """Not even late, inside a function, nor for the type checker: that hides a circle."""
    assert circles(GRAPH, frozenset(When)) == []


def test_a_circle_would_be_seen():
    texts = {
        "a": "import b",
        "b": "def f():\n    from c.d import x",
        "c": "import a",
        "c.d": "from c import y",
        "e": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import f",
        "f": "import e\nimport g",
        "g": "import f.nothing",
    }
    graph = import_graph({module: ast.parse(text) for module, text in texts.items()})
    assert circles(graph, frozenset({When.LOADED})) == []
    assert circles(graph, frozenset({When.LOADED, When.CALLED})) == [["a", "b", "c", "c.d"]]
    assert circles(graph, frozenset(When)) == [["a", "b", "c", "c.d"], ["e", "f"]]


def test_a_module_fits_in_the_head():
    lines = {name(path): len(path.read_text().splitlines()) for path in TREES}
    assert {module: count for module, count in lines.items() if count > 350} == {}
    assert {path.stem for path in TREES} & {"utils", "helpers", "common", "misc"} == set()


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


def test_no_two_public_classes_share_a_name():
    homes: dict[str, list[str]] = {}
    for path, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(name(path))
    clashes = {cls: paths for cls, paths in homes.items() if len(paths) > 1}
    assert clashes == {}


def test_a_room_that_is_full_has_rooms_of_its_own():
    counts = Counter(p.parent.relative_to(PACKAGE) for p in TREES if p.name != "__init__.py")
    full = {str(folder): count for folder, count in counts.items() if count > 18}
    full.pop("cli")  # one file a verb
    assert full == {}


def handlers() -> Iterator[tuple[str, ast.ExceptHandler]]:
    """Every `except` of the package, with the place it stands at."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                yield f"{name(path)}:{node.lineno}", node


def test_nothing_is_swallowed():
    """No bare `except`, and no broad one whose body does nothing."""
    found = dict(handlers())
    assert len(found) > 100
    assert [place for place, node in found.items() if node.type is None] == []
    idle = {p: n.type for p, n in found.items() if all(isinstance(s, ast.Pass) for s in n.body)}
    broad = {"Exception", "BaseException"}
    assert [p for p, t in idle.items() if isinstance(t, ast.Name) and t.id in broad] == []


def compared_texts(handler: ast.ExceptHandler) -> set[str]:
    """What the handler compares or searches, as it is written."""
    found = set()
    for part in ast.walk(handler):
        searched = (
            isinstance(part, ast.Call)
            and isinstance(part.func, ast.Attribute)
            and part.func.attr in {"startswith", "endswith", "search", "match", "find"}
        )
        if searched or isinstance(part, ast.Compare):
            found |= {ast.unparse(one) for one in ast.walk(part) if isinstance(one, ast.expr)}
    return found


def test_errors_are_told_apart_by_type():
    """What an error says is for people: it may be reworded, and the harness must not care."""
    guilty = [
        place
        for place, node in handlers()
        if compared_texts(node)
        & {f"str({node.name})", *(f"{node.name}.{part}" for part in ("message", "fix", "args"))}
    ]
    assert guilty == []


HEAVY = {
    "alembic",
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
    "jinja2",
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


def test_papers_name_the_version():
    from vlm4vla.core import __version__

    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited and cited[1] == __version__
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text()


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


def test_hosts_import_numpy_and_the_standard_library_alone():
    """A simulator's own Python has nothing else of what the harness is installed with."""
    code = (
        "import sys, numpy.random; before = set(sys.modules)\n"
        "import vlm4vla.rollout.hosts.host\n"
        "from vlm4vla.simulators import names, plugin\n"
        "for name in names(): plugin(name)\n"
        "from vlm4vla.simulators.toy.world import World\n"
        "print(*set(sys.modules) - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = done.stdout.split()
    foreign = {module.split(".")[0] for module in loaded} - sys.stdlib_module_names
    assert {name for name in foreign if not name.startswith("_")} - {"numpy"} == {"vlm4vla"}
    ours = {module.split(".")[1] for module in loaded if module.startswith("vlm4vla.")}
    assert ours == {"core", "rollout", "simulators"}


DATABASE = re.compile(r"sqlite|\bwal\b|pragma\b(?!: no)|\.db\b", re.IGNORECASE)
DEFAULT_STORE = re.compile(r"\./results/bench\.db")


def test_only_the_store_knows_its_database():
    """Another one may take its place. Where it lies by default may be said."""
    outside = [path for path in TREES if not path.is_relative_to(PACKAGE / "store")]
    words = {name(p): DATABASE.findall(DEFAULT_STORE.sub("", p.read_text())) for p in outside}
    assert {module: found for module, found in words.items() if found} == {}


def test_verbs_have_one_writer_of_json_and_of_intervals():
    own = re.compile(r"(print|echo|write)\(json\.dumps|\[\{100 \*")
    assert own.search("print(json.dumps(found))") and own.search('f"[{100 * low:.0f}, ..."')
    verbs = [path for path in TREES if path.parent == PACKAGE / "cli"]
    assert [name(path) for path in verbs if own.search(path.read_text())] == []
