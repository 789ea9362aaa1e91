"""Faults on purpose: kills, full disks, strangers' files. `make faults` runs it all, `python -m faults -h` a part."""
