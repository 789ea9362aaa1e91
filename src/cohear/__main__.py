"""`python -m cohear` is `cohear`."""

from cohear.cli import main

main()
