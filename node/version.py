"""The version of the installed distribution."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("wheelyard")
except PackageNotFoundError:  # run from a bare checkout
    VERSION = "0"
