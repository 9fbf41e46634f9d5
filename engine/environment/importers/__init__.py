"""Environment files of other tools, taken over into one of ours (SPEC E3); nothing of them is run."""
