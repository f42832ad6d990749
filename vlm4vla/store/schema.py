"""The tables. A change of any of them is a new `VERSION`, and a step under `migrations/`."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, Float, Integer, LargeBinary, Table, Text
from sqlalchemy.types import TypeEngine

VERSION = "0005"
"""Alembic's name for these tables."""

metadata = sa.MetaData()


def filled(kind: type[TypeEngine[Any]], *names: str) -> list[Column[Any]]:
    """Columns of one kind that always hold something."""
    return [Column(name, kind, nullable=False) for name in names]


def part_of(table: str, name: str) -> Column[str]:
    """What a row belongs to: with that, it goes too."""
    return Column(name, Text, sa.ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=False)


def _key() -> list[Column[Any]]:
    """Of which episode of which run a row tells, and since when."""
    names, numbers = filled(Text, "suite", "task"), filled(Integer, "init", "seed")
    return [part_of("runs", "run"), *names, *numbers, *filled(Text, "ended")]


meta = Table("meta", metadata, Column("name", Text, primary_key=True), *filled(Text, "value"))
"""`harness`: the vlm4vla that made the tables, or brought them up to date."""

alembic_version = Table(
    "alembic_version",
    metadata,
    Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""One row, the VERSION. Made as Alembic makes it, which is not loaded for a new store."""

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    *filled(Text, "created", "status"),
    *filled(Text, "policy", "policy_options", "checkpoint", "training_split"),
    *filled(Boolean, "privileged"),
    *filled(Text, "suite", "simulator", "protocol", "options", "execution"),
    *filled(Integer, "seed"),
    *filled(Text, "metrics", "success_rule", "comparability", "provenance", "continued"),
    *filled(LargeBinary, "plan"),
)

episodes = Table(
    "episodes",
    metadata,
    Column("id", Integer, primary_key=True),
    *_key(),
    *filled(Text, "outcome", "instruction"),
    *filled(Boolean, "success_any", "success_last"),
    *filled(Text, "stages", "measures"),
    *filled(Integer, "steps", "queries", "renders"),
    *filled(Float, "reset_s", "simulate_s", "render_s", "policy_s"),
    Column("error", Text),
    *filled(Text, "error_text"),
    *filled(Integer, "attempt"),
    *filled(Text, "video"),
    *filled(Float, "memory_mb"),
    Column("digest", Text, nullable=False, server_default=""),
    sa.UniqueConstraint("run", "suite", "task", "init", "seed", name="one_row_per_episode"),
)
"""`digest` as of `Episode.digest`; empty before version 5.

`video` as seen from the store's artifacts, if it lies among them.
"""

traces = Table(
    "traces",
    metadata,
    Column("episode", sa.ForeignKey("episodes.id", ondelete="CASCADE"), primary_key=True),
    *filled(Integer, "steps", "width"),
    *filled(LargeBinary, "actions", "query_steps"),
)
"""Apart from `episodes`, so that reading outcomes does not read megabytes of actions."""

drawn_states = Table(
    "drawn_states",
    metadata,
    Column("episode", sa.ForeignKey("episodes.id", ondelete="CASCADE"), primary_key=True),
    *filled(LargeBinary, "drawn"),
)
"""At which an episode began, where the simulator drew it and no suite lists it."""

faults = Table(
    "faults",
    metadata,
    Column("id", Integer, primary_key=True),
    *_key(),
    *filled(Integer, "attempt"),
    *filled(Text, "kind", "text"),
    sa.Index("faults_of_run", "run"),
)

sources = Table(
    "sources",
    metadata,
    Column("id", Text, primary_key=True),
    *filled(Text, "created", "kind", "format", "file", "sha256", "note", "provenance"),
)

imported_results = Table(
    "imported_results",
    metadata,
    Column("id", Integer, primary_key=True),
    part_of("sources", "source"),
    *filled(Text, "policy", "suite", "task", "metric", "kind"),
    *filled(Float, "value"),
    *(Column(count, Integer) for count in ("n", "k")),
    *filled(Integer, "errors"),
    *filled(Text, "protocol", "note"),
)

vqa_scores = Table(
    "vqa_scores",
    metadata,
    Column("id", Integer, primary_key=True),
    part_of("sources", "source"),
    *filled(Text, "model", "backbone", "benchmark", "metric"),
    *filled(Float, "value"),
    *filled(Text, "unit"),
    *(Column(count, Integer) for count in ("n", "k")),
    Column("chance", Float),
    *filled(Text, "note"),
)
