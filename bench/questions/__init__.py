"""One question a file: what is measured, how often, and which numbers come out."""
