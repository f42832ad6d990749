"""A second Python for the tests: a simulator's own, without Ray, torch, pandas or pip.

`spring_sim` is another package's simulator. It is installed in the harness's Python and in that of
its environment; `springs`, which it simulates with, in the latter alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NUMPY = "1.26.4"  # another one than the harness's, and of another generation

PLUGIN = '''
from dataclasses import replace
from vlm4vla.core.errors import MissingAsset, UnknownName
from vlm4vla.simulators.toy.plugin import Toy

class OutOfSprings(MissingAsset):
    """An error that only the plugin's own package knows."""

class Spring(Toy):
    name = "spring"
    summary = "The toy on a spring."

    def describe(self, options):
        return replace(super().describe({}), simulator="spring")

    def preflight(self, options, rendering):
        import springs
        if options.get("worn"):
            raise OutOfSprings("The spring is worn.", "Wind it up.")
        if options.get("dead"):
            import os
            os.kill(os.getpid(), 9)
        if options.get("strange"):
            raise UnknownName("spring", "spiral", ["helical", "leaf"])
        facts = {"springs": springs.__version__}
        return facts | ({"renderer": springs.drawn_by()} if rendering else {})

    def open_renderer(self):
        import springs
        return springs.drawn_by()

    def create(self, options):
        import sys
        import springs
        from vlm4vla.simulators.toy.world import World
        assert not {"ray", "torch", "pandas", "pydantic"} & set(sys.modules)
        return springs.hung(World())
'''
SPRINGS = """
import os, sys
__version__ = "0.3"
def drawn_by():
    return "pencil"
def hung(world):
    if os.environ.get("SPRINGS_NOTE"):
        with open(os.environ["SPRINGS_NOTE"], "a") as note:
            note.write(sys.executable + "\\n")
    return world
"""
ENVIRONMENT = """
[environment]
name = "spring"
summary = "the toy on a spring"
isolation = "venv"
"""
SUITE = """
name: spring
summary: The toy on a spring.
simulator: spring
generator: vlm4vla.suites.toy:episodes
episodes: {count: 3}
metrics:
  - {name: success, kind: rate, of: success, headline: true}
"""


@dataclass(frozen=True)
class Bench:
    """The command line of a machine on which the plugin is installed."""

    folder: Path
    variables: Mapping[str, str]

    def __call__(self, *words: object, code: int = 0, **more: str) -> str:
        """Standard output, or the error's text for exit code 2."""
        done = subprocess.run(
            [sys.executable, "-m", "vlm4vla.cli", *map(str, words)],
            cwd=self.folder, capture_output=True, text=True, timeout=300,
            env={**self.variables, **more},
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done.stderr if code == 2 else done.stdout


def prepare(folder: Path) -> Bench:
    """Build both packages, install the plugin beside the harness, and make nothing else."""
    wheels, site, work = folder / "wheels", folder / "site", folder / "work"
    for made in (wheels, site, work):
        made.mkdir(exist_ok=True)
    requirements = f"numpy=={NUMPY}\nspring-sim==1.0  # the plugin itself\nsprings==0.3\n"
    plugin = {
        "spring_sim/__init__.py": "",
        "spring_sim/plugin.py": PLUGIN,
        "spring_sim/env.toml": ENVIRONMENT,
        "spring_sim/requirements.txt": requirements,
    }
    points = (
        "[vlm4vla.simulators]\nspring = spring_sim.plugin:Spring\n"
        "[vlm4vla.environments]\nspring = spring_sim\n"
    )
    built = _wheel(wheels, "spring_sim", "1.0", plugin, points)
    _wheel(wheels, "springs", "0.3", {"springs.py": SPRINGS}, "")
    zipfile.ZipFile(built).extractall(site)
    (work / "spring.yaml").write_text(SUITE)
    return Bench(
        work,
        {
            **{k: v for k, v in os.environ.items() if k != "VLM4VLA_STORE"},
            "PYTHONPATH": str(site),
            "VLM4VLA_CACHE": str(folder / "cache"),
            "PIP_FIND_LINKS": str(wheels),
            "PIP_NO_COMPILE": "1",
        },
    )


def _wheel(folder: Path, name: str, version: str, files: Mapping[str, str], points: str) -> Path:
    about = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: vlm4vla\n"
    tags = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    content = {
        **files,
        f"{about}/METADATA": metadata,
        f"{about}/WHEEL": tags,
        f"{about}/entry_points.txt": points,
    }
    content[f"{about}/RECORD"] = "".join(f"{path},,\n" for path in [*content, f"{about}/RECORD"])
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for inside, text in content.items():
            wheel.writestr(inside, text)
    return path
