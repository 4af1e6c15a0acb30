"""Search of hosted projects: a query is a pure function; what is remembered is this node's own and disposable."""
