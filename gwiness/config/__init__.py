"""Settings: frozen pydantic models, read from TOML, changed by ``a.b=c`` on the command line."""
