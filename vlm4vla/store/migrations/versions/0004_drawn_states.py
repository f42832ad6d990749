"""Version 4: the states at which episodes began, where the simulator drew them, are kept."""

from alembic import op
from sqlalchemy import Column, ForeignKey, Integer, LargeBinary

from vlm4vla.store.schema import filled

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Until now a suite listed them, or the seed alone was known."""
    op.create_table(
        "drawn_states",
        Column("episode", Integer, ForeignKey("episodes.id", ondelete="CASCADE"), primary_key=True),
        *filled(LargeBinary, "drawn"),
    )
