"""Send e-mail over SMTP, with TLS unless the settings say otherwise."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid
from typing import TYPE_CHECKING

from imagerag_assets.errors import DeliveryError, SettingsError
from imagerag_assets.escaping import one_line

if TYPE_CHECKING:
    from imagerag_assets.settings import Settings

_TIMEOUT_S = 20.0
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_LONGEST = 200  # characters of a subject


def send(settings: Settings, subject: str, text: str, html: str, *, message_id: str | None = None) -> None:
    """Send one mail to all addresses of the settings.

    Args:
        settings: Server, addresses, and login.
        subject: In one line; whatever would end the header is shown as its code.
        text: The body.
        html: The same as HTML.
        message_id: Unique name of the mail, the same at each try, so that a mail program shows it once.

    Raises:
        SettingsError: The settings do not say all that is needed.
        DeliveryError: The server cannot be reached, refuses the login, or does not take the mail.
    """
    host, password = settings.smtp_host, settings.smtp_password
    if not host or not settings.mail_to:
        raise SettingsError("E-mail is not set up", fix="Set IMAGERAG_SMTP_HOST and IMAGERAG_MAIL_TO")
    if password is not None and settings.smtp_security == "none" and host not in _LOOPBACK:
        raise SettingsError(
            "The password of the mail server would be sent in clear text", fix="Set IMAGERAG_SMTP_SECURITY=starttls"
        )
    sender = settings.mail_from or settings.mail_to[0]
    message = EmailMessage()
    message["Subject"] = one_line(subject)[:_LONGEST]
    message["From"], message["To"] = sender, ", ".join(settings.mail_to)
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = message_id or make_msgid(domain="imagerag.invalid")
    message["Auto-Submitted"] = "auto-generated"  # no out-of-office replies
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    try:
        with _connection(settings, host) as server:
            if settings.smtp_user and password is not None:
                server.login(settings.smtp_user, password.get_secret_value())
            refused = server.send_message(message, from_addr=sender, to_addrs=list(settings.mail_to))
    except (OSError, smtplib.SMTPException) as error:
        raise DeliveryError(
            f"The mail server did not take the mail ({type(error).__name__}: {one_line(str(error))[:200]})",
            fix="Check the IMAGERAG_SMTP_* settings; to try: imagerag watch deliver --test",
            transient=True,
            server=f"{host}:{settings.smtp_port}",
        ) from None  # the cause may name the login
    if refused:
        raise DeliveryError(f"The mail server refused {', '.join(sorted(refused))}", fix="Correct IMAGERAG_MAIL_TO")


def _connection(settings: Settings, host: str) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if settings.smtp_security == "tls":
        return smtplib.SMTP_SSL(host, settings.smtp_port, timeout=_TIMEOUT_S, context=context)
    server = smtplib.SMTP(host, settings.smtp_port, timeout=_TIMEOUT_S)
    if settings.smtp_security == "starttls":
        try:
            server.starttls(context=context)  # raises where the server has none
        except BaseException:
            server.close()
            raise
    return server
