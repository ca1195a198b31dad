"""Answer HTTP: routes, uploads, problems, admission."""
