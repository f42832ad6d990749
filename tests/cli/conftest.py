from tests.reports.conftest import emoji, store

__all__ = ["emoji", "store"]
