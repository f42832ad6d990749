"""SimplerEnv itself: upstream's packages on SAPIEN 2.2.2, in a Python of their own."""
