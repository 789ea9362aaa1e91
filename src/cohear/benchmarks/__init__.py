"""How fast and how exact the transforms are on this machine, beside the libraries that do the same."""
