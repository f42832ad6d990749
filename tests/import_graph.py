"""Which module of ours imports which, read from the source: no module is loaded for it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "vlm4vla"


class When(Enum):
    """The moment an import statement is carried out."""

    LOADED = "when its module is loaded"
    CALLED = "when a function is called"
    NEVER = "for the type checker alone"


Graph = Mapping[str, Mapping[str, frozenset[When]]]
"""Module -> modules that it names, and when."""


def dotted(path: Path) -> str:
    """The name a file is imported by; a package is its `__init__`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def statements(
    node: ast.AST, when: When = When.LOADED
) -> Iterator[tuple[ast.Import | ast.ImportFrom, When]]:
    """Every import in a tree, wherever it stands."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, when
            continue
        then = when
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            then = When.NEVER
        elif when is When.LOADED and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            then = When.CALLED
        yield from statements(child, then)


def import_graph(modules: Mapping[str, ast.Module]) -> Graph:
    """The edges among these modules; importing a module's name is importing the module."""
    graph: dict[str, dict[str, frozenset[When]]] = {}
    for module, tree in modules.items():
        edges: dict[str, frozenset[When]] = {}
        for statement, when in statements(tree):
            names = [alias.name for alias in statement.names]
            if isinstance(statement, ast.ImportFrom):
                base = statement.module or ""
                longer = [f"{base}.{name}" for name in names]
                names = [name if name in modules else base for name in longer]
            for name in set(names) & modules.keys() - {module}:
                edges[name] = edges.get(name, frozenset()) | {when}
        graph[module] = edges
    return graph


def circles(graph: Graph, moments: frozenset[When]) -> list[list[str]]:
    """Groups of modules that import themselves over one another, at one of these moments."""

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        waiting = [start]
        while waiting:
            fresh = {to for to, when in graph[waiting.pop()].items() if when & moments} - found
            found |= fresh
            waiting += fresh
        return found

    beyond = {module: reached(module) for module in graph}
    groups = {
        frozenset({module} | {other for other in beyond[module] if module in beyond[other]})
        for module in graph
        if module in beyond[module]
    }
    return sorted(sorted(group) for group in groups)
