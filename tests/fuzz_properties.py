"""Runs every property of the tests with new examples, again and again: `python -m tests.fuzz_properties --seconds 600`."""

import argparse
import os
import subprocess
import sys
import time


def main() -> int:
    """Until the time is over (0) or a property fails (1); pytest prints what failed, and how to see it again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("tests", nargs="*", default=["tests"])
    given = parser.parse_args()
    end = time.monotonic() + given.seconds
    rounds = 0
    while time.monotonic() < end or not rounds:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-m", "hypothesis", "-p", "no:cacheprovider", *given.tests]
        done = subprocess.run(command, env={**os.environ, "MONZEN_SEARCH": "1"}, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stdout, done.stderr, sep="\n")
            return 1
        rounds += 1
    print(f"{rounds} rounds of all properties: none failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
