"""`python -m streamproc`, and the entry point of the `streamproc` command."""

from streamproc.shell.cli import app


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
