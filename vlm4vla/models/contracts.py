"""What backbones, formulations and decoders declare of themselves; torch-free.

A decoder and a formulation are each a frozen dataclass that stands in a file under its `kind`: a
shipped name, a name of the entry-point group `vlm4vla.decoders` or `vlm4vla.formulations`, or
`module:Class` of the dataclass. What a decoder needs and a backbone cannot give is refused before
any weights are read.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import entry_points
from typing import Any, ClassVar, Literal, Protocol, Self

from pydantic import GetCoreSchemaHandler, TypeAdapter, ValidationError
from pydantic_core import CoreSchema, core_schema

from vlm4vla.core.errors import BadInput, InvalidFile, UnknownName
from vlm4vla.core.formats import refuse_unknown
from vlm4vla.core.reference import load_object, look_here
from vlm4vla.core.specs import ActionSpec, ProprioPart
from vlm4vla.core.statistics import ActionStatistics

Preset = Literal["default", "paper", "code"]
Gift = Literal["states", "logits", "layers"]
ARM = 6
"""Numbers of an action that are no gripper: translation and rotation."""


class ReaderMismatch(BadInput):
    """A decoder or formulation that asks for what the backbone does not give."""


@dataclass(frozen=True)
class ReaderSpec:
    """What a backbone gives of each sequence it reads."""

    gives: frozenset[Gift] = frozenset({"states"})
    """`states` at the ActionQueries; `logits` over its vocabulary; `layers`: what its inner layers
    hold, for an expert that attends to them."""
    queries: int = 1
    """Most ActionQueries in one sequence."""
    pictures: int = 1
    """Most pictures in one sequence."""


@dataclass(frozen=True)
class Needs:
    """What a decoder asks of a backbone."""

    queries: int = 1
    """ActionQueries, hence states, in each sequence."""
    generates: str = ""
    """The grammar of the text it has the backbone generate; none if empty."""
    expert: bool = False
    """It reads the backbone's layers."""

    @property
    def gifts(self) -> frozenset[Gift]:
        """What a reader must give."""
        asked: Mapping[Gift, object] = {
            "states": self.queries, "logits": self.generates, "layers": self.expert,
        }  # fmt: skip
        return frozenset(gift for gift, wanted in asked.items() if wanted)


class Conventions(Protocol):
    """What a decoder must know of the actions; a VLAConfig is one."""

    @property
    def action(self) -> ActionSpec:
        """The convention of the actions that are given and wanted."""

    @property
    def statistics(self) -> ActionStatistics | None:
        """Their quantiles."""

    @property
    def clip_norm(self) -> float:
        """What the normalised arm's numbers are clipped to."""

    @property
    def proprio(self) -> tuple[ProprioPart, ...]:
        """What is told of the robot."""


@dataclass(frozen=True, kw_only=True)
class Tagged(ABC):
    """A part that files name by its `kind`, with its own fields beside it."""

    group: ClassVar[str]
    """Entry points that name further kinds are of the group `vlm4vla.` and this."""
    shipped: ClassVar[Mapping[str, str]]
    """Kind -> `module:Class` of ours."""

    kind: str = field(default="")
    """`module:Class` of the class itself if left out."""

    def __post_init__(self) -> None:
        """Fill in the kind."""
        if not self.kind:
            object.__setattr__(self, "kind", f"{type(self).__module__}:{type(self).__qualname__}")

    @classmethod
    def kinds(cls) -> dict[str, str]:
        """Every named kind, with its `module:Class`."""
        points = entry_points(group=f"vlm4vla.{cls.group}")
        return {**cls.shipped, **{point.name: point.value for point in points}}

    @classmethod
    def of_kind(cls, kind: str) -> type[Self]:
        """The class of that kind. Raises UnknownName, or BadInput where it cannot be used."""
        known, what = cls.kinds(), cls.group.removesuffix("s")
        if ":" not in kind and kind not in known:
            raise UnknownName(
                f"kind of {what}", kind, known, f"Your own: kind: module:{cls.__name__}"
            )
        if ":" in kind:
            look_here()
        found = load_object(what.capitalize(), known.get(kind, kind), "Write kind: module:Class.")
        if not (isinstance(found, type) and issubclass(found, cls)):
            raise BadInput(f"'{kind}' is no {what}.", f"Subclass {cls.__module__}.{cls.__name__}.")
        return found

    @classmethod
    def read(cls, value: object) -> Self:
        """From a file's `{kind: ..., ...}`. Raises BadInput in one of its forms."""
        if isinstance(value, cls):
            return value
        what = cls.group.removesuffix("s")
        if not isinstance(value, Mapping) or not isinstance(value.get("kind"), str):
            raise InvalidFile(f"A {what} is fields with values, `kind` among them; not {value!r}.")
        found = cls.of_kind(value["kind"])
        refuse_unknown(value, [one.name for one in fields(found)], f"{what} '{value['kind']}'")
        try:
            return TypeAdapter(found).validate_python(dict(value))
        except ValidationError as error:
            raise InvalidFile(f"{what}.{first_fault(error)}") from error

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Where a file may hold any kind, the kind decides; a kind's own class reads its fields."""
        if "group" not in cls.__dict__:
            return handler(source)
        write = core_schema.plain_serializer_function_ser_schema(asdict)
        return core_schema.no_info_plain_validator_function(cls.read, serialization=write)


def first_fault(error: ValidationError) -> str:
    """`place: what is wrong` of a file that pydantic refused."""
    # Of a field that may be one of several kinds, the fault that lies deepest says most.
    first = max(error.errors(), key=lambda fault: len(fault["loc"]))
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}."


def check_fit(backbone: str, reader: ReaderSpec, decoder: str, needs: Needs, pictures: int) -> None:
    """Refuse what the backbone cannot give. Raises ReaderMismatch.

    Args:
        backbone: its name, for the sentence.
        reader: what it gives.
        decoder: its kind, for the sentence.
        needs: what it asks for.
        pictures: how many pictures the formulation lays into one sequence.
    """
    for lacking in sorted(needs.gifts - reader.gives):
        raise ReaderMismatch(
            f"Decoder '{decoder}' needs the backbone's {lacking}; '{backbone}' gives "
            f"{', '.join(sorted(reader.gives))}.",
            "Choose another decoder or another backbone.",
        )
    for what, wanted, most in (
        ("ActionQueries", needs.queries, reader.queries),
        ("pictures", pictures, reader.pictures),
    ):
        if wanted > most:
            raise ReaderMismatch(
                f"{wanted} {what} would stand in one sequence; '{backbone}' reads {most}.",
                "Choose a formulation and a decoder with fewer, or another backbone.",
            )
