"""Installing simulators and finding out what is wrong with a machine."""
