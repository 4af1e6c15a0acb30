"""The highest floor: the process. Configuration, HTTP, users and indexes, the mirror, clocks, signals, metrics."""
