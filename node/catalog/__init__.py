"""Users, indexes, projects, files and who sees what: pure functions from state and request to an entry or a refusal."""
