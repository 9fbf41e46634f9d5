"""Handing results over: a branch of a remote, a pull request on a forge (SPEC T10)."""
