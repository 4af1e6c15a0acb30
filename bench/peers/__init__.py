"""The programs that are compared, one a file; each knows how its program is started, and nothing of the questions."""
