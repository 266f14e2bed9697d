"""`python -m codecfx`, the same as `codecfx`."""

from codecfx.cli import main

if __name__ == "__main__":
    main()
