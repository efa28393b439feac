"""The mode: one small file that root alone writes."""

import os

import pytest

from monzen.mode import PATH, Mode, mark_opened, overwrite_mode, read_mode, unmark_opened, write_mode


def test_a_mode_is_written_and_read(tmp_path):
    assert read_mode(str(tmp_path)) == Mode()  # nothing there: watch-only
    for mode in (Mode("armed", None, 5.0, "admin"), Mode("paused", 99.5, 7.0, "x", "armed"), Mode("panic", None, 1.0, "y", "armed")):
        write_mode(mode, str(tmp_path))
        assert read_mode(str(tmp_path)) == mode
    assert [p.name for p in (tmp_path / PATH).parent.iterdir()] == ["mode"]


def test_a_pause_ends_by_itself():
    mode = Mode("paused", 100.0, 50.0, "x", "armed")
    assert mode.at(99.0) is mode
    assert mode.open
    assert mode.at(100.0).name == "armed"
    assert not mode.at(100.0).open
    assert Mode("panic").at(1e12).open


@pytest.mark.parametrize("text", ["", "{", "[]", '{"mode": "armed", "until": "x"}', '{"mode": "open"}', "\0" * 5000, '{"mode": {}}', "[" * 4000])
def test_what_cannot_be_read_is_watch_only(tmp_path, text):
    write_mode(Mode("armed"), str(tmp_path))
    (tmp_path / PATH).write_text(text)
    assert read_mode(str(tmp_path)) == Mode(sound=False)
    mark_opened(str(tmp_path))
    assert read_mode(str(tmp_path)) == Mode("panic", sound=False), "what was opened stays open"


def test_a_file_that_others_write_or_a_link_is_not_believed(tmp_path):
    write_mode(Mode("armed"), str(tmp_path))
    os.chmod(tmp_path / PATH, 0o666)
    assert read_mode(str(tmp_path)) == Mode(sound=False)
    os.chmod(tmp_path / PATH, 0o644)
    (tmp_path / PATH).rename(tmp_path / "real")
    (tmp_path / PATH).symlink_to(tmp_path / "real")
    assert read_mode(str(tmp_path)) == Mode(sound=False)


def test_on_a_full_disk_it_is_written_over_the_old_one(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        overwrite_mode(Mode("panic"), str(tmp_path))  # there is none to write over
    write_mode(Mode("paused", 12345.5, 1.0, "a long name of somebody", "armed"), str(tmp_path))
    inode = (tmp_path / PATH).stat().st_ino
    overwrite_mode(Mode("panic", None, 2.0, "x"), str(tmp_path))
    assert read_mode(str(tmp_path)) == Mode("panic", None, 2.0, "x")
    assert (tmp_path / PATH).stat().st_ino == inode


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    write_mode(Mode("armed"), str(tmp_path))
    monkeypatch.setattr(os, "fsync", lambda _fd: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_mode(Mode("panic"), str(tmp_path))
    assert [p.name for p in (tmp_path / PATH).parent.iterdir()] == ["mode"]
    assert read_mode(str(tmp_path)) == Mode("armed")


def test_whoever_opened_leaves_a_mark_once(tmp_path):
    assert not unmark_opened(str(tmp_path))
    mark_opened(str(tmp_path))
    mark_opened(str(tmp_path))
    assert unmark_opened(str(tmp_path))
    assert not unmark_opened(str(tmp_path))


def test_the_same_configuration_in_another_language_is_no_difference(tmp_path):
    from monzen.setup import CONFIG, difference

    path = tmp_path / CONFIG
    path.parent.mkdir(parents=True)
    path.write_text("# 監視\n[shield]\nallow = []\n")
    assert difference(str(tmp_path), "# watch\n[shield]\nallow = []\n") == []
    assert difference(str(tmp_path), '# watch\n[shield]\nallow = ["192.0.2.1"]\n')
