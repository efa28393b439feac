"""Strangers that try once or twice and go away: of a campaign, or spraying one guess per account."""

from __future__ import annotations

from typing import Final

from monzen.judge.client import NEVER, Client
from monzen.judge.networks import HOT, REAL, Networks
from monzen.judge.sentences import FAR

SILENT: Final = 20_000  # strangers of which it is waited for what they do next


class Strangers(Networks):
    """The rules that wait for what a stranger does next."""

    def _hush(self, key: bytes, shape: int, strange: int, now: float) -> None:
        """A stranger failed: waits for what it does next.

        A person tries again within minutes, and the mail program asks for the mailbox too; one of a campaign goes away."""
        silent = self.silent
        if key in silent:
            return
        if len(silent) >= SILENT:
            silent.popitem(last=False)
        silent[key] = (now, shape, strange)
        if len(silent) == 1:
            self.listen = min(self.listen, now + self.policy.silence)

    def _wait(self, key: bytes, shape: int, now: float) -> None:
        """A stranger with a hot name, in the shape of a campaign: who took an alias for a name gets in within minutes."""
        hot = self.hot
        if key not in hot:
            if len(hot) >= SILENT:
                hot.popitem(last=False)
            hot[key] = (now, shape)
            if len(hot) == 1:
                self.listen = min(self.listen, now + self.policy.hot_wait)

    def _waited(self, now: float) -> float:
        """Convicts those of which nothing good came; when to look again."""
        hot, policy = self.hot, self.policy
        while hot:
            key = next(iter(hot))
            since, shape = hot[key]
            if now <= since + policy.hot_wait:
                return since + policy.hot_wait
            del hot[key]
            client = self.clients.get(key)
            if client is None or (client.trust is not None and client.trust.logins):
                continue
            stamps = client.record.stamps if client.record is not None else NEVER
            if client.last > since + policy.retry or len([t for t in stamps if t >= since]) > 1:  # it tries again: as people do
                self._hush(key, shape, HOT, now)
            elif self.campaigns.runs(shape, policy, now):
                self._join_campaign(key, client, shape, now)
        return FAR

    def _join_campaign(self, key: bytes, client: Client, shape: int, now: float) -> None:
        """A member of a campaign is denied."""
        self._convict(key, client, "campaign", now, len(self.campaigns.shapes[shape].bad))
        if client.sentence is not None and client.sentence.at == now:
            client.sentence.shape = shape

    def _silence(self, now: float) -> None:
        """Looks at strangers that tried once or twice and went away: of a campaign, or spraying a guess per account."""
        silent, policy = self.silent, self.policy
        waits = self._waited(now)
        while silent:
            key = next(iter(silent))
            since, shape, strange = silent[key]
            if now <= since + policy.silence:
                self.listen = min(waits, since + policy.silence)
                return
            del silent[key]
            client = self.clients.get(key)
            if client is None or (client.trust is not None and client.trust.logins) or client.last > since + policy.retry:
                continue
            if client.record is not None and len([t for t in client.record.stamps if t >= since]) > policy.silent_tries:
                continue
            if strange == REAL:
                self._spray(key, client, now)
                continue
            found = self.campaigns.shapes.get(shape)
            if found is None:
                continue
            if self.campaigns.runs(shape, policy, now):
                self._join_campaign(key, client, shape, now)
                for k, t in found.waiting.items():  # who tried before it came to light, with a name that nobody has
                    client = self.clients.get(k)
                    if client is None or (client.trust is not None and client.trust.logins) or t < now - policy.client_sentence:
                        continue
                    if self._tried_strange(client):
                        self._join_campaign(k, client, shape, now)
                found.waiting.clear()
            elif self._tried_hot(client):
                self._convict(key, client, "campaign", now, policy.hot)
            elif len(found.waiting) < SILENT:
                found.waiting[key] = since
        self.listen = waits

    def _tried_hot(self, client: Client) -> bool:
        """Whether the last name of a client is one that unrelated networks try and that never works."""
        record = client.record
        name = client.name if record is None else record.names[-1] if record.names else None
        return name is not None and len(name.networks) >= self.policy.hot and not name.exists and not self.names.is_kin(name)

    def _tried_strange(self, client: Client) -> bool:
        """Whether the last name of a client has no account, or is hot."""
        record = client.record
        name = client.name if record is None else record.names[-1] if record.names else None
        return self._tried_hot(client) or (name is not None and name.ghost and not name.exists and not self.names.is_kin(name))

    def _spray(self, key: bytes, client: Client, now: float) -> None:
        """One guess for an account, and gone: several such strangers of a /24 in which nobody lives are one hand."""
        if len(key) != 4 or self._inhabited(key[:3], now):
            return
        policy = self.policy
        network = self._beside(key[:3], key, now - policy.window)
        if network is None:
            return
        network.offended(key, 0, now, now - policy.window)
        if self._offenders(network, now - policy.memory, now, key, policy.sprayers) + 1 >= policy.sprayers:
            self._convict(key, client, "neighbours", now, len(network.members))
