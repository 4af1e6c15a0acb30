from __future__ import annotations

import io
import zipfile
from email.parser import BytesParser
from email.policy import HTTP

import pytest

from bench.wheels import content_type, make_wheel, upload_form


class TestMakeWheel:
    @pytest.mark.parametrize("size_bytes", [1024, 20_000])
    def test_wheel_has_the_wanted_size_and_its_metadata(self, size_bytes: int) -> None:
        wheel = make_wheel("bench-many", "1.17", size_bytes=size_bytes, seed=1)

        archive = zipfile.ZipFile(io.BytesIO(wheel.content))
        assert len(wheel.content) == size_bytes
        assert wheel.filename == "bench_many-1.17-py3-none-any.whl"
        assert archive.testzip() is None
        assert b"Name: bench-many\nVersion: 1.17\n" in archive.read("bench_many-1.17.dist-info/METADATA")

    def test_same_arguments_make_the_same_wheel(self) -> None:
        assert make_wheel("p", "1", size_bytes=1024, seed=1) == make_wheel("p", "1", size_bytes=1024, seed=1)

    def test_wheel_is_refused_when_its_metadata_does_not_fit(self) -> None:
        with pytest.raises(ValueError, match="wanted are 100"):
            make_wheel("p", "1", size_bytes=100, seed=1)


class TestUploadForm:
    def test_form_reads_back_as_multipart(self) -> None:
        wheel = make_wheel("bench-many", "1.17", size_bytes=1024, seed=1)

        head = f"Content-Type: {content_type()}\r\n\r\n".encode()
        message = BytesParser(policy=HTTP).parsebytes(head + upload_form(wheel))
        parts = {part.get_param("name", header="content-disposition"): part for part in message.iter_parts()}

        assert parts[":action"].get_payload() == "file_upload"
        assert parts["sha256_digest"].get_payload() == wheel.sha256
        assert parts["content"].get_filename() == wheel.filename
