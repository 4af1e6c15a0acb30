"""The middle floor: what to send and how to apply it. Sockets, TLS and HTTP are someone else's problem."""
