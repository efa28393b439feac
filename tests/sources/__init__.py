"""The tests of monzen.sources: files in tmp_path, no network, no waiting."""
