"""The lazy pull-through mirror: everything here is disposable cache of what an upstream index says, and is never replicated."""
