"""Logs to try monzen on, and the script that writes the made-up one."""
