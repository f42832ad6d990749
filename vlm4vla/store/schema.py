"""The tables. A change of any of them is a new `VERSION`, and a step under `migrations/`."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

VERSION = "0003"
"""Alembic's name for these tables."""

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""`harness`: the vlm4vla that made the tables, or brought them up to date."""

alembic_version = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""One row, the VERSION. Made as Alembic makes it, which is not loaded for a new store."""


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _integer(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _real(name: str) -> Column[float]:
    return Column(name, Float, nullable=False)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def _run() -> Column[str]:
    return Column("run", Text, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False)


runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    _text("created"),
    _text("status"),
    _text("policy"),
    _text("policy_options"),
    _text("checkpoint"),
    _text("training_split"),
    _flag("privileged"),
    _text("suite"),
    _text("simulator"),
    _text("protocol"),
    _text("options"),
    _text("execution"),
    _integer("seed"),
    _text("metrics"),
    _text("success_rule"),
    _text("comparability"),
    _text("provenance"),
    _text("continued"),
    Column("plan", LargeBinary, nullable=False),
)

episodes = Table(
    "episodes",
    metadata,
    Column("id", Integer, primary_key=True),
    _run(),
    _text("suite"),
    _text("task"),
    _integer("init"),
    _integer("seed"),
    _text("ended"),
    _text("outcome"),
    _text("instruction"),
    _flag("success_any"),
    _flag("success_last"),
    _text("stages"),
    _text("measures"),
    _integer("steps"),
    _integer("queries"),
    _integer("renders"),
    _real("reset_s"),
    _real("simulate_s"),
    _real("render_s"),
    _real("policy_s"),
    Column("error", Text),
    _text("error_text"),
    _integer("attempt"),
    _text("video"),
    _real("memory_mb"),
    UniqueConstraint("run", "suite", "task", "init", "seed", name="one_row_per_episode"),
)
"""`video` as seen from the store's artifacts, if it lies among them."""

traces = Table(
    "traces",
    metadata,
    Column("episode", ForeignKey("episodes.id", ondelete="CASCADE"), primary_key=True),
    _integer("steps"),
    _integer("width"),
    Column("actions", LargeBinary, nullable=False),
    Column("query_steps", LargeBinary, nullable=False),
)
"""Apart from `episodes`, so that reading outcomes does not read megabytes of actions."""

faults = Table(
    "faults",
    metadata,
    Column("id", Integer, primary_key=True),
    _run(),
    _text("suite"),
    _text("task"),
    _integer("init"),
    _integer("seed"),
    _text("ended"),
    _integer("attempt"),
    _text("kind"),
    _text("text"),
    Index("faults_of_run", "run"),
)


def _source() -> Column[str]:
    return Column("source", Text, ForeignKey("sources.id", ondelete="CASCADE"), nullable=False)


sources = Table(
    "sources",
    metadata,
    Column("id", Text, primary_key=True),
    *map(_text, ("created", "kind", "format", "file", "sha256", "note", "provenance")),
)

imported_results = Table(
    "imported_results",
    metadata,
    Column("id", Integer, primary_key=True),
    _source(),
    *map(_text, ("policy", "suite", "task", "metric", "kind")),
    _real("value"),
    Column("n", Integer),
    Column("k", Integer),
    _integer("errors"),
    *map(_text, ("protocol", "note")),
)

vqa_scores = Table(
    "vqa_scores",
    metadata,
    Column("id", Integer, primary_key=True),
    _source(),
    *map(_text, ("model", "backbone", "benchmark", "metric")),
    _real("value"),
    _text("unit"),
    Column("n", Integer),
    Column("k", Integer),
    Column("chance", Float),
    _text("note"),
)
