"""Tells people and programs of alarms, and sums up a day or a week: by mail, by a hook, by POST (docs/telling.md)."""
