"""Which runs stand in which order, and beside what others report."""
