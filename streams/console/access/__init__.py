"""Who may read the desk: accounts, sign-in by an OpenID provider, sessions, and what was seen."""
