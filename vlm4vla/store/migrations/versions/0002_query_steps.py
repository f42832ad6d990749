"""Version 2 (vlm4vla 0.2.0): a trace says at which steps the policy was asked.

Version 1 only counted the queries of an episode, and took them to be evenly spaced.
"""

import zlib

import numpy as np
from alembic import op
from sqlalchemy import Column, LargeBinary, text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Write down the steps that version 1 would have replayed."""
    op.add_column("traces", Column("query_steps", LargeBinary))
    connection = op.get_bind()
    rows = connection.execute(
        text(
            "SELECT episodes.id, traces.steps, episodes.queries FROM traces "
            "JOIN episodes ON episodes.id = traces.episode"
        )
    )
    for episode, steps, queries in rows.all():
        asked = b""  # of damaged counts: who reads the trace is told
        if type(steps) is type(queries) is int:
            times = np.arange(0, steps, max(1, round(steps / max(1, queries))), dtype="<i4")
            asked = zlib.compress(times.tobytes(), 1)
        connection.execute(
            text("UPDATE traces SET query_steps = :asked WHERE episode = :episode"),
            {"asked": asked, "episode": episode},
        )
    with op.batch_alter_table("traces") as traces:
        traces.alter_column("query_steps", nullable=False)
