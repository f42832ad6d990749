"""Version 1 (vlm4vla 0.1.0): meta, runs, episodes, traces, faults. Where every store began."""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing comes before it; a new store is made of today's tables at once."""
