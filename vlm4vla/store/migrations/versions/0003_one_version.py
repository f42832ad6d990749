"""Version 3: one mark for all tables, imported results always among them, videos found beside.

Until now `meta` held two numbers, one of them for the tables of imported results, which the first
import made; a video was named by its absolute path, and lost when the store moved.
"""

from pathlib import Path

from alembic import op
from sqlalchemy import Column, Float, Integer, Text, inspect, text

from vlm4vla.store.schema import filled, part_of

revision = "0003"
down_revision = "0002"


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
    """Written out, for a later version's tables may have others than these columns."""
    op.create_table(
        "sources",
        Column("id", Text, primary_key=True),
        *filled(Text, "created", "kind", "format", "file", "sha256", "note", "provenance"),
    )
    op.create_table(
        "imported_results",
        Column("id", Integer, primary_key=True),
        part_of("sources", "source"),
        *filled(Text, "policy", "suite", "task", "metric", "kind"),
        *filled(Float, "value"),
        *(Column(count, Integer) for count in ("n", "k")),
        *filled(Integer, "errors"),
        *filled(Text, "protocol", "note"),
    )
    op.create_table(
        "vqa_scores",
        Column("id", Integer, primary_key=True),
        part_of("sources", "source"),
        *filled(Text, "model", "backbone", "benchmark", "metric"),
        *filled(Float, "value"),
        *filled(Text, "unit"),
        *(Column(count, Integer) for count in ("n", "k")),
        Column("chance", Float),
        *filled(Text, "note"),
    )
