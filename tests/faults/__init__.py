"""Faults of processes, disks, links and clients, against real nodes."""
