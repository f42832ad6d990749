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
    return list(shipped_files())


def load_file(name_or_path: str) -> SuiteFile:
    """Read a shipped suite by name, or any suite by path, with all that it extends.

    Raises:
        UnknownName: there is no such suite, or none that it extends.
        InvalidFile: a file cannot be read, is of an unknown format, says what no suite has, or
            extends itself.
    """
    path = file_of(name_or_path, "suite", shipped_files(), "`bench list suites` shows all.")
    return validated(SuiteFile, _joined(path, ()), f"Suite file {path}")


@cache
def facts_of(suite: str) -> SuiteFacts:
    """What is known of a suite that ships, or whose family does: its name begins as the family's.

    A suite that nobody knows has the defaults.
    """
    if suite in suite_names():
        return load_file(suite)
    families = [name for name in shipped_files("families") if suite.startswith(name)]
    return _family(max(families, key=len)) if families else SuiteFacts()


@cache
def headline_names() -> frozenset[str]:
    """What the metric that ranks is called, in any suite or family that ships."""
    known = [*map(load_file, suite_names()), *map(_family, shipped_files("families")), SuiteFacts()]
    return frozenset(one.name for facts in known for one in facts.metrics if one.headline)


def shipped_files(folder: str = "") -> Mapping[str, Path]:
    """Name -> file of what ships in this folder of `benchmarks/`."""
    return {path.stem: path for path in sorted((shipped("benchmarks") / folder).glob("*.yaml"))}


def file_of(name_or_path: str, what: str, known: Mapping[str, Path], fix: str = "") -> Path:
    """A YAML file by its path, or one that is known by its name. Raises UnknownName."""
    if name_or_path.endswith(_SUFFIXES):
        return Path(name_or_path)
    UnknownName.check(what, [name_or_path], known, fix)
    return known[name_or_path]


def read_yaml(path: Path, what: str, fix: str = "") -> object:
    """What a YAML file holds. Raises InvalidFile."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidFile(f"{what} {path} cannot be read: {error.strerror}.", fix) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidFile(f"{what} {path} is not YAML: {error}", fix) from error


def validated(model: type[M], content: Mapping[str, JSON], source: str) -> M:
    """`content` as a model. Raises InvalidFile with the first problem, and where it stands."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InvalidFile(f"{source}: {_first_problem(error, model)}") from error


def _family(name: str) -> SuiteFacts:
    content = _joined(shipped_files("families")[name], ())
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
    known = {**shipped_files("families"), **shipped_files()}
    below = file_of(str(base), "suite or family to extend", known, f"{path} extends it.")
    inherited = _joined(path.parent / below, (*above, path))  # `below` alone where it is absolute
    inherited.pop("name", None)  # a suite has a name of its own
    return _over(inherited, content)


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
