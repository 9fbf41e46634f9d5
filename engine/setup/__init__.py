"""Automatic setup: which package managers a project has and what they are told (SPEC E4), and language versions."""
