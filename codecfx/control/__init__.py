"""Control: what can be turned, and what turns it. Never imports effects."""
