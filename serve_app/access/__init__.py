"""Control access: API keys, tokens, quotas, rate limits, signed links and the audit log."""
