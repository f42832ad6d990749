"""The results store: one row per episode, one row per run."""
