"""Tests of node/cluster."""
