"""The bench's own small parts, and one tiny run of everything, so that it cannot rot."""
