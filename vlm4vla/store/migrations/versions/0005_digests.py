"""Version 5: a row tells what its episode was, so that only equal ones are paired."""

from alembic import op
from sqlalchemy import Column, Text

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Nobody knows any more what the episodes of older rows began with: theirs stays empty."""
    op.add_column("episodes", Column("digest", Text, nullable=False, server_default=""))
