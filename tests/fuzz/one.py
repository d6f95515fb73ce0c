"""Fuzz one target in this process until the time is up: ``python -m tests.fuzz.one TARGET ...``.

The other arguments are libFuzzer's. The process ends with 77 at a defect, and the input is kept.
"""

import sys

import atheris

with atheris.instrument_imports(include=["streams", "schemas", "detectors"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run libFuzzer on the target."""
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
