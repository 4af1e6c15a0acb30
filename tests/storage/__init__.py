"""Tests of storage/: real LMDB, real files, real kills."""
