"""Suite files: found, read, and joined with what they extend."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import ValidationError

from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import InvalidFile, UnknownName
from vlm4vla.core.files import shipped
from vlm4vla.core.formats import FileFormat, refuse_unknown
from vlm4vla.suites.schema import MetricFields, Protocol, Strict, SuiteFacts, SuiteFile

SUITE_FORMAT = FileFormat("suite file")
"""Each file of a chain says its own."""

_SUFFIXES = (".yaml", ".yml")

Fields = dict[str, JSON]
M = TypeVar("M", bound=Strict)


def suite_names() -> list[str]:
    """Names of the suites that ship."""
    return _stems("")


def load_file(name_or_path: str) -> SuiteFile:
    """Read a shipped suite by name, or any suite by path, with all that it extends.

    Raises:
        UnknownName: there is no such suite, or none that it extends.
        InvalidFile: a file cannot be read, is of an unknown format, says what no suite has, or
            extends itself.
    """
    path = Path(name_or_path)
    if path.suffix not in _SUFFIXES:
        if name_or_path not in suite_names():
            raise UnknownName(
                "suite", name_or_path, suite_names(), "`bench list suites` shows all."
            )
        path = shipped("benchmarks") / f"{name_or_path}.yaml"
    return validated(SuiteFile, _joined(path, ()), f"Suite file {path}")


@cache
def facts_of(suite: str) -> SuiteFacts:
    """What is known of a suite that ships, or whose family does: its name begins as the family's.

    A suite that nobody knows has the defaults.
    """
    if suite in suite_names():
        return load_file(suite)
    families = [name for name in _stems("families") if suite.startswith(name)]
    return _family(max(families, key=len)) if families else SuiteFacts()


@cache
def headline_names() -> frozenset[str]:
    """What the metric that ranks is called, in any suite or family that ships."""
    known = [*map(load_file, suite_names()), *map(_family, _stems("families")), SuiteFacts()]
    return frozenset(one.name for facts in known for one in facts.metrics if one.headline)


def read_yaml(path: Path, what: str, fix: str = "") -> object:
    """What a YAML file holds. Raises InvalidFile."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidFile(f"{what} {path} cannot be read: {error.strerror}.", fix) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidFile(f"{what} {path} is not YAML: {error}") from error


def validated(model: type[M], content: Mapping[str, JSON], source: str) -> M:
    """`content` as a model. Raises InvalidFile with the first problem, and where it stands."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InvalidFile(f"{source}: {_first_problem(error, model)}") from error


def _stems(folder: str) -> list[str]:
    return sorted(path.stem for path in (shipped("benchmarks") / folder).glob("*.yaml"))


def _family(name: str) -> SuiteFacts:
    content = _joined(shipped("benchmarks") / "families" / f"{name}.yaml", ())
    known = {field: content[field] for field in SuiteFacts.model_fields if field in content}
    return validated(SuiteFacts, known, f"Family {name}")


def _joined(path: Path, above: tuple[Path, ...]) -> Fields:
    """The fields of a file over those of what it extends; `above` are the files that led to it."""
    if path.resolve() in (one.resolve() for one in above):
        circle = " extends ".join(str(one) for one in (*above, path))
        raise InvalidFile(f"{circle}: a circle.", "Take one `extends` out.")
    fix = "Give the path of a YAML file, or a suite's name (bench list suites)."
    content = SUITE_FORMAT.upgraded(read_yaml(path, "Suite file", fix), path)
    refuse_unknown(content, SuiteFile.model_fields, f"Suite file {path}")
    base = content.get("extends")
    if base is None:
        return content
    inherited = _joined(_base(str(base), path), (*above, path))
    inherited.pop("name", None)  # a suite has a name of its own
    return _over(inherited, content)


def _base(name: str, path: Path) -> Path:
    """Where what the file at `path` extends lies."""
    if name.endswith(_SUFFIXES):
        return path.parent / name
    for folder in ("", "families"):
        if name in _stems(folder):
            return shipped("benchmarks") / folder / f"{name}.yaml"
    known = [*_stems(""), *_stems("families")]
    raise UnknownName("suite or family to extend", name, known, f"{path} extends it.")


def _over(base: Fields, own: Fields) -> Fields:
    """Mappings are joined, name by name; anything else replaces what it is laid over."""
    joined = dict(base)
    for name, value in own.items():
        below = joined.get(name)
        both = isinstance(below, dict) and isinstance(value, dict)
        joined[name] = _over(below, value) if both else value  # type: ignore[arg-type]
    return joined


def _first_problem(error: ValidationError, model: type[Strict]) -> str:
    # A misspelt field is both unknown and missing: the first says more.
    problems = sorted(error.errors(), key=lambda p: p["type"] != "extra_forbidden")
    problem, more = problems[0], len(problems) - 1
    place = ".".join(str(part) for part in problem["loc"]) or "top level"
    text = problem["msg"]
    if problem["type"] == "extra_forbidden":
        inner: dict[str, type[Strict]] = {"metrics": MetricFields, "protocols": Protocol}
        fields = inner.get(str(problem["loc"][0]), model).model_fields
        near = get_close_matches(str(problem["loc"][-1]), fields, n=2)
        text = "there is no such field."
        text += f" Did you mean {' or '.join(near)}?" if near else ""
    return f"{place}: {text}" + (f" (and {more} more)" if more else "")
