"""Who asks: passwords, login tokens, and what a request's headers prove."""
