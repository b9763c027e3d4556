"""Early warnings by mail: one message a notice, through one mail server."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from forecasting.adapters._egress import Endpoint, Resolver, Secret, checked_addresses, resolve
from forecasting.adapters._http import cleaned
from forecasting.adapters._notice_text import body_text, digest, headline, one_line, safe_id
from forecasting.adapters._notifier_http import Limits
from forecasting.adapters._notifier_parts import Form, Place, check_mail_url, failed, secret_of
from forecasting.terms.errors import InputError, NotifierError
from forecasting.terms.notice import Notice
from forecasting.terms.project import NotifierSpec

if TYPE_CHECKING:
    import smtplib
    from email.message import EmailMessage

_KEPT_NAMES = 3
"""Refused receivers named in a message."""


class Smtp:
    """Notifier that mails each notice as plain text: the headline is the subject, the note the text.

    ``Message-ID`` follows from the id of the notice, so that a message that comes twice (the answer to the first was
    lost on its way) is shown once by mail programs and found by anybody; all notices of one warning are one thread.
    What an answer of the mail server means:

    - 250 after the text: taken. Receivers that it refused before (unknown address) do not get the message; the others
      do, with a last line that says who did not.
    - every receiver refused for good, or the text refused (5xx): the notice stays with the caller, those behind it are
      sent; `NotifierError` names it once nothing else is taken.
    - 4xx, no answer, a wrong password, no TLS where it is asked for: nothing more is sent, what was taken so far is
      returned, the rest stays with the caller. A receiver refused for the time being (4xx, greylisting) holds the whole
      message back, so that nobody gets it twice.

    Parameters
    ----------
    spec : NotifierSpec
        url or url_env (``smtps://`` TLS from the start, ``smtp://`` STARTTLS, ``smtp+plain://`` no TLS), user,
        token_env (the password), sender, to.
    place : Place
        Where variables are looked up, and the time of the ``Date`` header.
    limits : Limits or None
        Of time: `attempt_s` for each step up to the next answer, `total_s` for everything.
    resolver : callable
        Turns a name into addresses.

    Examples
    --------
    >>> from pathlib import Path
    >>> spec = NotifierSpec(name="mail", kind="smtp", url="smtps://mail.example.org", sender="a@b.c", to=("d@e.f",))
    >>> Smtp(spec, Place(root=Path("."))).send([])
    frozenset()
    """

    form: ClassVar[Form] = Form(
        fields=("url", "urlEnv", "user", "tokenEnv", "sender", "to"),
        required=("sender", "to"),
        schemes=("smtps", "smtp", "smtp+plain"),
    )

    def __init__(
        self, spec: NotifierSpec, place: Place, *, limits: Limits | None = None, resolver: Resolver = resolve
    ) -> None:
        self.spec, self._place, self._limits, self._resolver = spec, place, limits or Limits(), resolver

    @property
    def name(self) -> str:
        """Name of the receiver in the project."""
        return self.spec.name

    @property
    def repeat_every(self) -> timedelta | None:
        """None: what was mailed stays."""
        return None

    def send(self, notices: Sequence[Notice]) -> frozenset[str]:
        """Mail the notices over one connection, oldest first, and return the ids of those that were taken.

        Raises
        ------
        NotifierError
            Where none was.
        """
        if not notices:
            return frozenset()
        import smtplib

        endpoint = self._endpoint()
        password = secret_of(self.spec, self.spec.token_env, self._place)
        taken, refused = set[str](), dict[str, str]()
        end = time.monotonic() + self._limits.total_s
        try:
            with self._connection(endpoint, password, end) as mail:
                for notice in notices:
                    if time.monotonic() >= end:
                        break
                    said = self._mail(mail, notice)
                    if said is None:
                        taken.add(notice.id)
                    else:
                        refused[notice.id] = said
        except (smtplib.SMTPException, OSError, ValueError) as error:
            if not taken:
                raise self._failure(endpoint, error, password) from None
        except NotifierError:
            if not taken:
                raise
        if refused and not taken:
            first, said = next(iter(refused.items()))
            came = f"{len(refused)} refused, such as {safe_id(first)} ({cleaned(said, password)})"
            raise failed(self.spec, came, "the addresses that the mail server knows")
        return frozenset(taken)

    def repeat(self, standing: Sequence[Notice]) -> None:
        """Do nothing: people remember."""

    def _endpoint(self) -> Endpoint:
        """Return the checked address of the mail server."""
        url, named = self.spec.url, self.spec.url_env
        if named:
            url = self._place.variable(named).strip()
            if not url:
                raise failed(self.spec, f"{named}, which is not set", f"set {named}", allowed="a URL")
        try:
            endpoint = check_mail_url(url, secret=bool(named))
        except InputError as error:
            raise failed(
                self.spec, f"{named or 'url'}: {error.came}", error.try_instead, allowed=error.allowed
            ) from None
        if self.spec.user and endpoint.scheme == "smtp+plain" and not endpoint.local:
            raise failed(self.spec, endpoint.shown, "smtps:// or smtp://", allowed="TLS where a password is sent")
        return endpoint

    def _connection(self, endpoint: Endpoint, password: Secret, end: float) -> smtplib.SMTP:
        """Connect to a checked address, with TLS where it is asked for, and log in."""
        import smtplib
        import ssl

        from forecasting.adapters._smtp_line import open_mail

        try:
            addresses = checked_addresses(endpoint, self._resolver)
        except InputError as error:
            raise failed(self.spec, f"url: {error.came}", error.try_instead, allowed=error.allowed) from None
        if not addresses:
            raise failed(self.spec, f"{endpoint.shown}: the name does not resolve", "the name of the mail server")
        context = ssl.create_default_context()
        mail = open_mail(endpoint, addresses, context, attempt_s=self._limits.attempt_s, end=end)
        try:
            mail.ehlo_or_helo_if_needed()
            if endpoint.scheme == "smtp" and (mail.has_extn("starttls") or not endpoint.local):
                if not mail.has_extn("starttls"):
                    hint = "smtps://, or smtp+plain:// where this network may read it"
                    raise failed(self.spec, f"{endpoint.shown}: it offers no STARTTLS", hint, allowed="TLS")
                mail.starttls(context=context)
                mail.ehlo()
            if self.spec.user:
                mail.login(self.spec.user, password.reveal())
        except smtplib.SMTPNotSupportedError:
            mail.close()
            raise failed(self.spec, f"{endpoint.shown}: it takes no log-in", "no user and tokenEnv") from None
        except BaseException:  # also a keyboard interrupt: the socket is not left open
            mail.close()
            raise
        return mail

    def _mail(self, mail: smtplib.SMTP, notice: Notice) -> str | None:
        """Mail one notice; None = taken, else why this one is not wanted."""
        import smtplib

        code, answer = mail.mail(self.spec.sender)
        if code != 250:
            raise smtplib.SMTPResponseException(code, answer)
        refused = dict[str, str]()
        for receiver in self.spec.to:
            code, answer = mail.rcpt(receiver)
            if 400 <= code < 500:
                raise smtplib.SMTPResponseException(code, answer)
            if code not in (250, 251):
                refused[receiver] = one_line(f"{code} {answer.decode('utf-8', 'replace')}")
        if len(refused) == len(self.spec.to):
            mail.rset()
            return next(iter(refused.values()))
        try:
            code, answer = mail.data(self._message(notice, refused).as_bytes())
        except smtplib.SMTPDataError as error:
            code, answer = error.smtp_code, error.smtp_error if isinstance(error.smtp_error, bytes) else b""
        if code == 250:
            return None
        if 400 <= code < 500:
            raise smtplib.SMTPResponseException(code, answer)
        mail.rset()
        return one_line(f"{code} {answer.decode('utf-8', 'replace')}")

    def _message(self, notice: Notice, refused: dict[str, str]) -> EmailMessage:
        """Write the message; no name can begin a header or end the text."""
        from email.message import EmailMessage
        from email.policy import SMTP
        from email.utils import format_datetime

        domain = self.spec.sender.rpartition("@")[2]
        text = body_text(notice)
        if refused:
            named = "; ".join(f"{who} ({why})" for who, why in list(refused.items())[:_KEPT_NAMES])
            more = f" and {len(refused) - _KEPT_NAMES} more" if len(refused) > _KEPT_NAMES else ""
            text += f"\n\nThe mail server refused this message for: {one_line(named, 1000)}{more}."
        message = EmailMessage(policy=SMTP)
        message["Subject"] = one_line(headline(notice))
        message["From"] = self.spec.sender
        message["To"] = ", ".join(self.spec.to)
        message["Date"] = format_datetime(self._place.now())
        message["Message-ID"] = f"<{digest(notice.id)[:40]}@{domain}>"
        message["References"] = f"<{digest(notice.warning.id)[:40]}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answers of machines
        message["X-Forecasting-Notice"] = safe_id(notice.id)
        message.set_content(text + "\n", charset="utf-8")
        return message

    def _failure(self, endpoint: Endpoint, error: Exception, password: Secret) -> NotifierError:
        """Return what went wrong, in words without the password."""
        import smtplib
        import ssl

        hint = "look whether it runs and is reachable"
        if isinstance(error, smtplib.SMTPAuthenticationError):
            said, hint = f"{error.smtp_code}: it refuses the user or the password", "user, and the variable of tokenEnv"
        elif isinstance(error, smtplib.SMTPResponseException):
            answer = error.smtp_error
            text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
            said = f"{error.smtp_code}: {text}"
            hint = "the sender that it takes" if error.smtp_code >= 500 else "it is tried again"
        elif isinstance(error, ssl.SSLCertVerificationError):
            said = error.verify_message
            hint = "the name the certificate is for, or SSL_CERT_FILE with your own authority"
        elif isinstance(error, TimeoutError):
            said = f"no answer within {self._limits.attempt_s:.0f} s"
        else:
            said = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
        return failed(self.spec, f"{endpoint.shown}: {cleaned(said, password)}", hint)
