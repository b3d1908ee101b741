"""What is believed of Amazon SNS without asking it."""

import hashlib
import json

from producers.mail.webhooks.sns import confirmation, is_certificate_url


def test_a_certificate_is_taken_from_sns_alone() -> None:
    assert is_certificate_url("https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a1b.pem")
    for url in (
        "http://sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/a.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/a.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/a.pem",
        "https://sns.eu-west-1.amazonaws.com/a.key",
        "https://sns.eu-west-1.amazonaws.com/a.pem?x=1",
        "https://sns.eu-west-1.amazonaws.com/../a.pem",
        "https://bucket.s3.amazonaws.com/a.pem",
        "https://sns.evil.amazonaws.com.pem",
    ):
        assert not is_certificate_url(url), url


def test_a_subscription_is_confirmed_at_an_address_made_of_its_topic_never_at_the_one_in_it() -> None:
    from producers.mail.webhooks.request import Request

    offer = {
        "Type": "SubscriptionConfirmation",
        "TopicArn": "arn:aws:sns:eu-west-1:123456789012:mail",
        "Token": hashlib.sha256(b"t").hexdigest(),
        "SubscribeURL": "https://169.254.169.254/latest/meta-data",
    }
    url = confirmation(Request({}, json.dumps(offer).encode()))
    assert url is not None
    assert url.startswith("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&")
    assert (
        confirmation(
            Request({}, json.dumps(offer | {"TopicArn": "arn:aws:sns:x@evil.example:1234:mail"}).encode())
        )
        is None
    )
    assert confirmation(Request({}, json.dumps(offer | {"Token": "a&b"}).encode())) is None
