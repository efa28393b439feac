"""The file for node_exporter: whole, readable, and never through a link."""

import os
import stat
import threading

import pytest

from monzen.metrics import MetricsError
from monzen.metrics.textfile import write_textfile


def test_it_is_replaced_whole(tmp_path):
    path = tmp_path / "monzen.prom"
    texts = [bytes([65 + n]) * 100_000 for n in range(8)]
    write_textfile(str(path), texts[0])
    stopped, torn = threading.Event(), []

    def read():
        while not stopped.is_set():
            data = path.read_bytes()
            if data not in texts:
                torn.append(len(data))

    reader = threading.Thread(target=read)
    reader.start()
    old = os.umask(0o077)
    for _round in range(20):
        for text in texts:
            write_textfile(str(path), text)
    os.umask(old)
    stopped.set()
    reader.join()
    assert torn == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert os.listdir(tmp_path) == ["monzen.prom"]


def test_a_link_is_replaced_and_not_followed(tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / "monzen.prom").symlink_to(mine)
    (tmp_path / f".monzen.prom.{os.getpid()}").symlink_to(mine)
    write_textfile(str(tmp_path / "monzen.prom"), b"x 1\n")
    assert mine.read_text() == "mine"
    assert (tmp_path / "monzen.prom").read_bytes() == b"x 1\n"
    assert not (tmp_path / "monzen.prom").is_symlink()
    assert len(os.listdir(tmp_path)) == 2


@pytest.mark.parametrize(
    ("name", "says"),
    [("monzen.txt", r"end in \.prom"), (".prom", r"end in \.prom"), ("no/monzen.prom", "cannot write"), ("folder.prom", "cannot write")],
)
def test_what_cannot_be_is_said_and_leaves_nothing(tmp_path, name, says):
    (tmp_path / "folder.prom").mkdir()
    with pytest.raises(MetricsError, match=says):
        write_textfile(str(tmp_path / name), b"x 1\n")
    assert os.listdir(tmp_path) == ["folder.prom"]
