from __future__ import annotations

import pytest

from bench.errors import LoadFailed
from bench.wrk import Measured, parse

CLEAN = """Running 3s test @ http://127.0.0.1:4199/s
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   231.81us  104.25us   4.32ms   96.54%
    Req/Sec    69.72k     6.74k   79.41k    66.67%
  Latency Distribution
     50%  216.00us
     75%    1.25ms
     90%    2.00s
     99%    1.50m
  207302 requests in 3.00s, 245.15MB read
Requests/sec:  69084.98
Transfer/sec:     81.50MB
"""
WRONG_STATUS = CLEAN.replace("Requests/sec", "  Non-2xx or 3xx responses: 12\nRequests/sec")
SOCKET_ERRORS = CLEAN.replace(
    "Requests/sec", "  Socket errors: connect 0, read 3, write 0, timeout 0\nRequests/sec"
)
NO_REQUEST = CLEAN.replace("  207302 requests", "  0 requests")


class TestParse:
    def test_numbers_come_in_seconds_and_bytes_when_the_run_was_clean(self) -> None:
        expected = Measured(
            requests=207_302,
            requests_per_second=69_084.98,
            bytes_per_second=81.5 * 2**20,
            latency_seconds={"p50": 0.000216, "p75": 0.00125, "p90": 2.0, "p99": 90.0},
        )

        assert parse(CLEAN, what="page") == expected

    @pytest.mark.parametrize(
        ("output", "problem"),
        [
            (WRONG_STATUS, "12 responses"),
            (SOCKET_ERRORS, "read 3"),
            (NO_REQUEST, "no request"),
            ("", "unreadable"),
        ],
        ids=["wrong-status", "socket-errors", "no-request", "not-wrk"],
    )
    def test_run_is_refused_when_its_numbers_mean_nothing(self, output: str, problem: str) -> None:
        with pytest.raises(LoadFailed, match=problem):
            parse(output, what="page")
