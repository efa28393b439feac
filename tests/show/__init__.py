"""The tests of monzen.show."""
