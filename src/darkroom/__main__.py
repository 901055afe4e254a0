"""The command `python -m darkroom`."""

from __future__ import annotations

from darkroom.cli.main import main

if __name__ == "__main__":
    main(prog_name="darkroom")
