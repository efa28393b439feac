"""Events become verdicts: pure, in event time, deterministic, bounded; every decision can be said in words."""

from monzen.judge.client import Client
from monzen.judge.judge import Alarm, Breach, Judge, Knocker, Spared
from monzen.judge.policy import Policy
from monzen.judge.routes import Routes
from monzen.judge.shield import Shield

__all__ = ["Alarm", "Breach", "Client", "Judge", "Knocker", "Policy", "Routes", "Shield", "Spared"]
