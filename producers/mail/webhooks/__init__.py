"""What e-mail providers report, one module a provider: each verifies a request over its raw bytes and reads it into MailEvents."""
