"""What `tests/bench/tui.py` measures with: terminals, the programs in them, large inputs, a slow link."""
