"""HTTP: bytes from a socket to a request and back; what a request means is decided elsewhere."""
