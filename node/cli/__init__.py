"""The command line: one module for each command that does more than call a service."""
