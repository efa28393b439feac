"""A POST over TLS: to whom the certificate is, and to nobody else."""

import os
import pwd
import shutil
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from monzen.show.words import speak
from monzen.tell.message import TellError
from monzen.tell.post import post

USER = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
DATA = b'{"version": 1}\n'


@pytest.fixture(autouse=True)
def _english():
    speak("en")
    yield
    speak()


@pytest.fixture
def server(tmp_path):
    """One that shows a certificate for localhost, signed by itself: its port, what it was sent, and the certificate."""
    if not shutil.which("openssl"):
        pytest.skip("not installed: openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(["openssl", "req", "-x509", *map(str, made)], check=True, capture_output=True)
    heard = []

    class Takes(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    class Quiet(HTTPServer):
        def handle_error(self, *_):
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Quiet(("127.0.0.1", 0), Takes) as running:
        running.socket = context.wrap_socket(running.socket, server_side=True)
        serving = threading.Thread(target=running.serve_forever, daemon=True)
        serving.start()
        yield running.server_port, heard, certificate
        running.shutdown()
        serving.join(60)


def test_whom_nobody_knows_is_told_nothing(server):
    port, heard, _certificate = server
    with pytest.raises(TellError, match="certificate verify failed"):
        post(f"https://localhost:{port}/alarms", USER, DATA)
    assert heard == []


def test_who_is_known_is_told_by_his_own_name_only(server, monkeypatch):
    port, heard, certificate = server
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with pytest.raises(TellError, match="certificate verify failed"):
        post(f"https://127.0.0.1:{port}/alarms", USER, DATA)
    assert heard == []
    post(f"https://localhost:{port}/alarms", USER, DATA)
    assert heard == [DATA]


def test_no_proxy_of_who_types_is_asked(server, monkeypatch):
    port, heard, certificate = server
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    post(f"https://localhost:{port}/alarms", USER, DATA)
    assert heard == [DATA]
