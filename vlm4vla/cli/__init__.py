"""`bench`: one file per verb."""
