"""Version 3: one mark for all tables, imported results always among them, videos found beside.

Until now `meta` held two numbers, one of them for the tables of imported results, which the first
import made; a video was named by its absolute path, and lost when the store moved.
"""

from pathlib import Path

from alembic import op
from sqlalchemy import Column, Float, ForeignKey, Integer, Text, inspect, text

revision = "0003"
down_revision = "0002"


def _texts(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


def _source() -> Column[str]:
    return Column("source", Text, ForeignKey("sources.id", ondelete="CASCADE"), nullable=False)


def upgrade() -> None:
    """Leave every row of runs, episodes, traces and imports as it is, but for the videos' names."""
    connection = op.get_bind()
    if not inspect(connection).has_table("sources"):
        _create_tables_of_imports()
    connection.execute(text("DELETE FROM meta WHERE name IN ('schema', 'library')"))
    beside: Path = op.get_context().config.attributes["artifacts"]
    rows = connection.execute(text("SELECT id, video FROM episodes WHERE typeof(video) = 'text'"))
    for episode, video in rows.all():
        if Path(video).is_relative_to(beside / "videos"):
            connection.execute(
                text("UPDATE episodes SET video = :video WHERE id = :episode"),
                {"video": str(Path(video).relative_to(beside)), "episode": episode},
            )


def _create_tables_of_imports() -> None:
    op.create_table(
        "sources",
        Column("id", Text, primary_key=True),
        *_texts("created", "kind", "format", "file", "sha256", "note", "provenance"),
    )
    op.create_table(
        "imported_results",
        Column("id", Integer, primary_key=True),
        _source(),
        *_texts("policy", "suite", "task", "metric", "kind"),
        Column("value", Float, nullable=False),
        Column("n", Integer),
        Column("k", Integer),
        Column("errors", Integer, nullable=False),
        *_texts("protocol", "note"),
    )
    op.create_table(
        "vqa_scores",
        Column("id", Integer, primary_key=True),
        _source(),
        *_texts("model", "backbone", "benchmark", "metric"),
        Column("value", Float, nullable=False),
        *_texts("unit"),
        Column("n", Integer),
        Column("k", Integer),
        Column("chance", Float),
        *_texts("note"),
    )
