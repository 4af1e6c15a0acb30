"""Simple API pages: what a page shows, how it is written, and when a finished one may be used again."""
