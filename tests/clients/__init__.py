"""The clients that teams use, driven through what their users do; the chapters' asserts speak like those of tests."""

import pytest

pytest.register_assert_rewrite("tests.clients.chapters", "tests.clients.house")
