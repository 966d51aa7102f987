"""A mail server on a real port that keeps what it is sent, also over TLS or STARTTLS.  Use :func:`mail_server`."""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path


class MailServer(socketserver.ThreadingTCPServer):
    """Takes every mail, or answers with `refusal` to its text."""

    daemon_threads = True

    def __init__(self, certificate: Path | None, starttls: Path | None) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.received: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.logins: list[str] = []
        self.refusal = ""
        self.in_clear: list[str] = []
        """Commands that came before the connection was encrypted."""
        self.later = _context(starttls) if starttls is not None else None
        if certificate is not None:
            self.socket = _context(certificate).wrap_socket(self.socket, server_side=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server_address[1])

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients that do not trust the certificate leave."""


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, MailServer)
        self._say("220 here")
        waiting = server.later
        while line := self.rfile.readline():
            word, _, rest = line.decode().strip().partition(" ")
            if not isinstance(self.connection, ssl.SSLSocket):
                server.in_clear.append(word.upper())
            match word.upper():
                case "EHLO" | "HELO":
                    self._say(f"250-here\r\n250 {'STARTTLS' if waiting else 'AUTH PLAIN'}")
                case "STARTTLS" if waiting:
                    self._say("220 go on")
                    self.connection = waiting.wrap_socket(self.connection, server_side=True)
                    waiting = None
                    self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
                case "AUTH":
                    server.logins.append(base64.b64decode(rest.split()[1]).decode().replace("\0", " ").strip())
                    self._say("235 welcome")
                case "RCPT":
                    server.recipients.append(rest)
                    self._say("250 yes")
                case "DATA":
                    self._say("354 go on")
                    text = b"".join(iter(self.rfile.readline, b".\r\n"))
                    if server.refusal:
                        self._say(server.refusal)
                        continue
                    server.received.append(message_from_bytes(text, policy=policy.default))
                    self._say("250 taken")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 yes")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@contextmanager
def mail_server(certificate: Path | None = None, *, starttls: Path | None = None) -> Iterator[MailServer]:
    """Run a mail server; with a certificate over TLS, from the first byte on or once a client says STARTTLS."""
    with MailServer(certificate, starttls) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()


def self_signed(path: Path) -> Path:
    """Write a certificate of 127.0.0.1 with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    no_password = serialization.NoEncryption()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password)
    path.write_bytes(text + made.public_bytes(serialization.Encoding.PEM))
    return path
