"""Facts about the machine: files that appear whole, devices, signals, versions."""
