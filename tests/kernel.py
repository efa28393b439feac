"""What the kernel has only so many of for all programs of a user: where others hold them all, a test has nothing to ask it for."""

import ctypes
import errno
import os

import pytest


def spare_inotify():
    """Skip, with a word, where no instance of inotify is left (fs.inotify.max_user_instances, 128 for all programs of a user)."""
    c = ctypes.CDLL(None, use_errno=True)
    number = c.inotify_init1(os.O_CLOEXEC)
    if number >= 0:
        os.close(number)
    elif ctypes.get_errno() == errno.EMFILE:
        pytest.skip("other programs hold all instances of inotify: fs.inotify.max_user_instances")
