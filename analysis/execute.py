"""Executes the notebooks in place: python analysis/execute.py [NAME ...]."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
NOTEBOOKS = (
    "leaderboard.ipynb", "correlation.ipynb", "own_scores.ipynb", "emoji_decomposition.ipynb",
)  # fmt: skip


def execute(path: Path) -> nbformat.NotebookNode:
    """The notebook with its outputs, run from its own folder; raises on the first error."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(HERE)}}
    ).execute()
    for cell in notebook.cells:  # when a cell ran is nobody's concern, and changes every time
        cell.metadata.pop("execution", None)
    return notebook


if __name__ == "__main__":
    for name in sys.argv[1:] or NOTEBOOKS:
        nbformat.write(execute(HERE / name), HERE / name)
        print(name)
