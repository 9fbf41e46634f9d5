"""The environment file: its keys, strict loading, finding, detecting a project, trust, JSON Schema."""
