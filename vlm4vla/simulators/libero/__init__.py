"""LIBERO and LIBERO-PRO: a Panda at tables with household things, on robosuite and MuJoCo."""
