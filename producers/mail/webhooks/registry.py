"""The providers by the name that is in their address: /v1/webhooks/{provider}/{source}."""

from collections.abc import Mapping

from producers.mail.webhooks.providers import (
    brevo,
    mailersend,
    mailgun,
    mailjet,
    mailomat,
    mailtrap,
    mandrill,
    postal,
    postmark,
    resend,
    sendgrid,
    ses,
    sparkpost,
    sweego,
    unisender_go,
)
from producers.mail.webhooks.request import Check, InvalidProof, InvalidReport, Request, WebhookProvider
from producers.mail.webhooks.signatures import credentials

PROVIDERS: Mapping[str, WebhookProvider] = {
    "brevo": brevo.PROVIDER,
    "mailersend": mailersend.PROVIDER,
    "mailgun": mailgun.PROVIDER,
    "mailjet": mailjet.PROVIDER,
    "mailomat": mailomat.PROVIDER,
    "mailtrap": mailtrap.PROVIDER,
    "mandrill": mandrill.PROVIDER,
    "postal": postal.PROVIDER,
    "postmark": postmark.PROVIDER,
    "resend": resend.PROVIDER,
    "sendgrid": sendgrid.PROVIDER,
    "ses": ses.PROVIDER,
    "sparkpost": sparkpost.PROVIDER,
    "standardwebhooks": resend.PROVIDER,
    "sweego": sweego.PROVIDER,
    "unisender_go": unisender_go.PROVIDER,
}

CREDENTIALS = ("basic:", "header:")


def authenticate(provider: WebhookProvider, request: Request, checks: list[Check], unsigned: bool) -> None:
    """Raise InvalidProof unless one of the source's secrets proves the request.

    A source with no secret takes any, if it was added so.
    """
    if not checks and unsigned:
        return
    proofs = [_proves(provider, request, check) for check in checks]
    if not any(proofs):
        raise InvalidProof(
            "no secret of this source proves the request: its signature, credentials or age are wrong"
        )


def _proves(provider: WebhookProvider, request: Request, check: Check) -> bool:
    if check.secret.startswith(CREDENTIALS):
        return credentials(request, check.secret)
    try:
        return provider.verify is not None and provider.verify(request, check)
    except InvalidReport:
        return False  # where the proof should be, there is nothing to read
