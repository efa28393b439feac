"""What this machine is, as far as monzen needs it: logs, mail programs, sshd, firewall, what else denies; read, never changed."""

from monzen.survey.asking import Ask, Nobody, asker
from monzen.survey.finding import FAULT, GOOD, WARNING, Finding
from monzen.survey.survey import Survey, survey

__all__ = ["FAULT", "GOOD", "WARNING", "Ask", "Finding", "Nobody", "Survey", "asker", "survey"]
