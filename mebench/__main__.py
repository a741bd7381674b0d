"""``python -m mebench``."""

from mebench.cli.main import main

if __name__ == "__main__":
    main()
