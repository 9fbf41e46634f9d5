"""What fumehood needs of this machine, checked one by one, and mended where that is safe (SPEC L3 `doctor`)."""
