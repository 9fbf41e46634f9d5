"""The `loop` agent, built in: a model called from the host, one tool, commands in the container."""
