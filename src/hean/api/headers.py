# SPDX-License-Identifier: Apache-2.0
"""`headers.py`: the headers of every answer that tell a browser what not to do (C-21)."""

from __future__ import annotations

from collections.abc import Iterable

Header = tuple[bytes, bytes]

CSP = b"content-security-policy"
API_CSP = b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PAGE_CSP = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""For HTML that brings none of its own: scripts come from here alone, styles may stand in it."""


def page_csp(nonce: str) -> bytes:
    """For the page: scripts come from here alone and never stand in it; styles do so only with the
    *nonce* of this answer, by which the kit of the page writes them at run time.
    """
    return PAGE_CSP.replace(b"'unsafe-inline'", f"'nonce-{nonce}'".encode())


SECURITY: tuple[Header, ...] = (
    (CSP, API_CSP),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cache-control", b"no-store"),
)
HSTS: Header = (b"strict-transport-security", b"max-age=31536000")
OWN_CHOICE = {b"cache-control"}
"""An answer may set these itself: files of the page are kept by browsers."""
TELLING = {b"server", b"x-powered-by"}
PAGE = b"text/html"


def secured(headers: Iterable[Header], *, is_tls: bool) -> list[Header]:
    """The headers of an answer with the security headers, each of them once."""
    given = [(name.lower(), value) for name, value in headers]
    is_page = any(n == b"content-type" and v.startswith(PAGE) for n, v in given)
    names = {name for name, _ in given}
    chosen = OWN_CHOICE | {CSP} if is_page else OWN_CHOICE
    ours = [each for each in SECURITY if not (each[0] in chosen and each[0] in names)]
    if is_page and CSP not in names:
        ours[0] = (CSP, PAGE_CSP)
    replaced = {name for name, _ in ours} | TELLING
    kept = [each for each in given if each[0] not in replaced]
    return kept + ours + ([HSTS] if is_tls else [])
