"""Lines become facts: pure, bytes in, values out. No clock, no file, no environment."""
