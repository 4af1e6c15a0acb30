"""The command ``wheelyard``, and the guard of its three plain package names."""

import sys
from importlib.metadata import packages_distributions

PACKAGES = ("node", "replication", "storage")
DISTRIBUTION = "wheelyard"


def clashing_distributions() -> dict[str, list[str]]:
    """Return the other distributions that claim one of our packages, by package."""
    claimed = packages_distributions()
    return {
        package: others
        for package in PACKAGES
        if (others := sorted({name for name in claimed.get(package, []) if name != DISTRIBUTION}))
    }


def main() -> None:
    """Run the command line."""
    for package, others in clashing_distributions().items():
        print(  # noqa: T201
            f"wheelyard: import package {package!r} is also installed by {', '.join(others)}; "
            "install wheelyard in an environment of its own",
            file=sys.stderr,
        )
        sys.exit(1)
    # Only now: with a foreign package in place these imports would fail in less helpful ways.
    from node.cli.commands import run  # noqa: PLC0415

    run()


if __name__ == "__main__":
    main()
