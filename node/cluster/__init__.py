"""This node's place in the cluster: its role, its link to the primary, and what runs beside the requests."""
