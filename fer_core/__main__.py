"""``python -m fer_core``."""

from fer_core.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
