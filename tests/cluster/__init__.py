"""A primary and replicas as real processes: what they promise each other and their clients."""
