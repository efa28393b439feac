"""The file for node_exporter has a name that it reads; how it is written: tests/test_written.py."""

import os

import pytest

from monzen.metrics import MetricsError
from monzen.metrics.textfile import write_textfile


@pytest.mark.parametrize(
    ("name", "says"),
    [("monzen.txt", r"end in \.prom"), (".prom", r"end in \.prom"), ("no/monzen.prom", "cannot write"), ("folder.prom", "cannot write")],
)
def test_what_cannot_be_is_said_and_leaves_nothing(tmp_path, name, says):
    (tmp_path / "folder.prom").mkdir()
    with pytest.raises(MetricsError, match=says):
        write_textfile(str(tmp_path / name), b"x 1\n")
    assert os.listdir(tmp_path) == ["folder.prom"]
