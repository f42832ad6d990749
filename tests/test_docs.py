"""Every command and every Python line of README and docs does what the page says it does.

A page is read from top to bottom in a folder of its own, which holds the runs below. Commands run
in this process; what would take minutes is narrowed or checked with --dry-run (`INSTEAD`). A new
page needs nothing said here.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import shlex
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from tests.bench import bench
from tests.reports.conftest import emoji_run, fill
from tests.reports.test_mixed import SOLVED, own
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.runs.execute import execute
from vlm4vla.runs.plan import resolve
from vlm4vla.runs.request import RunRequest
from vlm4vla.store import Store

ROOT = Path(__file__).parents[1]
EVERY = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PACKAGED = [page for page in EVERY if "pip install --no-deps -e ." in page.read_text("utf-8")]
"""They make a package, which tests/docs/test_add.py builds, installs and uses."""
PAGES = [page for page in EVERY if page not in PACKAGED]

KITS = ROOT / "tests" / "store" / "vqa_kits"
INSTEAD = {
    "bench run": lambda words: [*words, *([] if "toy" in words else ["--dry-run"])],
    "bench demos": lambda words: [*words, "--suite", "toy", "--episodes", "2", "--frames", "2"],
    "bench train": lambda words: [*words, "--dry-run"],
    "bench report": lambda words: [*words, "--suite", "toy"],
    "bench compare": lambda words: [
        *words,
        *(["--episodes", "8"] if "--sequential" in words else []),
    ],
    "bench env install": lambda words: ["bench", "env", "check", *words[3:]],  # it downloads
    "bench doctor": lambda words: [*words, "--help"],  # tests/cli/test_env_doctor.py
    "bench vqa export": lambda words: [*words, "--help"],  # tests/models/test_export.py
    "bench vqa run": lambda words: [*words, "--help"],  # tests/runs/test_kits.py
    "bench learn": lambda words: [*words, "--help"],  # minutes; tests/studies
}
"""What is typed here in a command's place: options that come again replace the earlier ones."""
PLACEHOLDERS = {
    "RUN": "toy-expert", "RUN_A": "toy-expert", "RUN_B": "toy-random", "OTHER": "toy-random",
    "A": "expert", "B": "random", "S": "toy", "pick_place/3": "near/3",
    "MMStar": "my VQA", "~/robots/bin/python": sys.executable,
    "BEFORE": str(KITS / "before"), "AFTER": str(KITS / "after"),
    "FILE": str(ROOT / "tests" / "store" / "vla_eval" / "recording.sqlite"),
}  # fmt: skip
REFUSED = {
    "--metric length": "metric of suite 'toy'",  # of CALVIN's chains, which take minutes
}
"""Commands that cannot end well here -> what they must say."""
LACKING = (
    'pip install "vlm4vla[', "bench env install", "hf download", "bench train --backbone",
)  # fmt: skip
"""The remedies of what a machine may lack: packages, data, and weights nobody ships."""
OTHERS = ("hf ", "pip ", ". ", "git ", "accelerate ", "export ", "cd ", "ray ")
"""Commands that are not ours."""


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    line: int
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```(\w*)[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [Block(text[: m.start()].count("\n") + 1, m[1], m[2]) for m in found]


def commands(block: Block) -> list[tuple[int, str]]:
    """Lines that are typed, with their numbers; a block without a language may hold output."""
    joined = block.text.replace("\\\n", " \x00")
    found, line = [], block.line
    for text in joined.splitlines():
        line += 1
        command = text.replace("\x00", "").strip().removeprefix("$ ")
        typed = block.language in ("sh", "bash", "console") or command.startswith("bench ")
        if typed and command and not command.startswith("#"):
            found.append((line, command))
        line += text.count("\x00")
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory, ray_session):
    """Runs of every suite the pages ask for, scores to correlate, and a picture."""
    folder = tmp_path_factory.mktemp("world")
    path = folder / "results" / "bench.db"
    with Store.open(path, create=True) as store:
        for policy in ("expert", "random"):
            execute(resolve(RunRequest(policy, "toy", run_id=f"toy-{policy}")), store, print)
        for suite in ("grinningface_val", "calvin_debug", "calvin_abcd"):
            for number, policy in enumerate(("expert", "expert-blind", "random")):
                run = emoji_run(policy, code=f"{number}a1b2c3d")
                plan = tuple(EpisodeKey(suite, "pick_place", i) for i in range(24))
                name = f"{suite}-{policy}-{number}a1b2c3d"
                fill(store, replace(run, id=name, suite=suite, plan=plan), 24 - 8 * number, 9)
    own(path, SOLVED)
    (folder / "my.csv").write_text("policy,MMBench\nexpert,71\nexpert-blind,65\nrandom,50\n")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "sheet.png")
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_does_what_it_says(page, world, tmp_path, monkeypatch):
    monkeypatch.delenv("VLM4VLA_STORE", raising=False)
    shutil.copytree(world, tmp_path, dirs_exist_ok=True)
    problems = wrong_on(page, tmp_path)
    told = "\n\n".join(
        f"{page.relative_to(ROOT)}, line {line}: {command}\n{said}"
        for line, command, said in problems
    )
    assert not problems, (
        f"{told}\n\nMend the page. What cannot be run in a test is narrowed by INSTEAD, "
        "PLACEHOLDERS or REFUSED in tests/test_docs.py."
    )


def test_pages_that_make_a_package_are_run_where_it_is_installed():
    elsewhere = (ROOT / "tests" / "docs" / "test_add.py").read_text(encoding="utf-8")
    assert [page.name for page in PACKAGED if page.name not in elsewhere] == []


def test_a_page_that_is_wrong_is_told(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```sh\nbench list suites\nbench lst\nmake nothing\nfrobnicate\n```\n"
        "```python\nfrom vlm4vla import run, nothing\n```\n"
        "```\nbench plan --diference 3\noutput of a command\n```\n"
    )
    assert [line for line, _, _ in wrong_on(page, tmp_path)] == [3, 4, 5, 7, 11]


def wrong_on(page: Path, folder: Path) -> list[tuple[int, str, str]]:
    """Lines, what stands there, and what came of it."""
    found = blocks(page)
    write_modules(found, folder)
    problems = []
    for block in found:
        if block.language == "python":
            problems += [(block.line, "python", said) for said in run_python(block, folder)]
        for line, command in commands(block):
            problems += [(line, command, said) for said in run_command(command, folder)]
    return problems


def write_modules(found: list[Block], folder: Path) -> None:
    """A block that defines the `Class` of a page's `module:Class` is that module."""
    text = "\n".join(block.text for block in found)
    for module, name in set(re.findall(r"\b([a-z_]\w*):([A-Z]\w*)", text)):
        for block in found:
            if block.language == "python" and re.search(rf"^class {name}\b", block.text, re.M):
                (folder / f"{module}.py").write_text(block.text, encoding="utf-8")


def run_python(block: Block, folder: Path) -> list[str]:
    if "torch" in block.text and importlib.util.find_spec("torch") is None:
        return []
    before, path = Path.cwd(), list(sys.path)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    module = sys.modules["page"] = ModuleType("page")  # dataclasses look their module up
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(block.text, "page", "exec"), vars(module))
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]
    finally:
        os.chdir(before)
        sys.path[:] = path
        del sys.modules["page"]
    return []


def run_command(command: str, folder: Path) -> list[str]:
    """What went wrong."""
    words = shlex.split(re.sub(r"\[(--[^\]]*)\]", r"\1", command), comments=True)
    words = [PLACEHOLDERS.get(word, word) for word in words]
    if words[0] != "bench":
        return other_command(command, words)
    for typed, instead in INSTEAD.items():
        if words[: len(typed.split())] == typed.split():
            words = instead(words)
    done = bench(*words[1:], cwd=folder)
    said = done.out + done.err
    wanted = next((text for part, text in REFUSED.items() if part in command), None)
    if wanted is not None:
        return [] if done.code == 2 and wanted in said else [said]
    fine = done.code == 0 or "env check" in " ".join(words)  # 1: a machine without the simulator
    lacking = done.code == 2 and any(remedy in done.err for remedy in LACKING)
    return [] if fine or lacking else [said]


def other_command(command: str, words: list[str]) -> list[str]:
    """`make`, `python`: that it is there; the rest is not ours."""
    if words[0] == "make":
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return [] if words[1] in targets else ["The Makefile has no such target."]
    if words[:2] == ["python", "-m"]:
        return [] if importlib.util.find_spec(words[2]) else ["There is no such module."]
    if words[0] == "python" and not words[1].startswith("$"):
        return [] if (ROOT / words[1]).is_file() else ["There is no such file."]
    ours = words[0] in ("python", ".ci/run") or command.startswith(OTHERS)
    return [] if ours else [f"Nobody knows what {words[0]} is: say so in OTHERS."]
