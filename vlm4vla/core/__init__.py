"""The shared words: specs, episodes, observations, results, errors. Imports nothing of ours."""
