"""TLS to Redis and the store: an authority of one's own, and how a refusal of its sort is told."""

import ssl
from pathlib import Path
from typing import Any

from scheduler.settings import PREFIX, RedisSettings


def redis_options(settings: RedisSettings) -> dict[str, Any]:
    """What a client of `rediss://` is given; empty without TLS."""
    if not settings.redis_url.get_secret_value().startswith("rediss://"):
        return {}
    own = {"ssl_ca_certs": str(settings.ca_file)} if settings.ca_file else {}
    # Whoever answers has to be the one that the address names.
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True, **own}


def broker_options(settings: RedisSettings) -> dict[str, Any]:
    """The same as Celery takes it."""
    options = redis_options(settings)
    return {"broker_use_ssl": {**options, "ssl_cert_reqs": ssl.CERT_REQUIRED}} if options else {}


def hint(error: BaseException | None, ca_file: Path | None) -> str:
    """What to do, if an error comes of a certificate that is not trusted here; else nothing."""
    while error is not None:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            trusted = f"{PREFIX}CA_FILE ({ca_file})" if ca_file else "the authorities of this system"
            return (
                f"its certificate is not vouched for by {trusted}, or is for another name: set "
                f"{PREFIX}CA_FILE to the file of its authority, and use a name that is in the certificate"
            )
        error = error.__cause__ or error.__context__
    return ""
