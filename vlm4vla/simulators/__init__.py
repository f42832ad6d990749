"""One module or folder per simulator, found by name without importing any of them."""

from vlm4vla.simulators.registry import names, plugin

__all__ = ["names", "plugin"]
