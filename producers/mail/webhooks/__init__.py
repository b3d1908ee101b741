"""What e-mail providers report, one module a provider.

Each verifies a request over its raw bytes and reads it into MailEvents.
"""
