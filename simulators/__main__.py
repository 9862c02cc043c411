"""`python -m simulators`: the same as `simulate`."""

from __future__ import annotations

from simulators.cli import main

if __name__ == "__main__":
    main()
