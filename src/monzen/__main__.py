"""`python -m monzen`."""

import sys

from monzen.cli import main

if __name__ == "__main__":
    sys.exit(main())
