"""Download files atomically, with resume and retries.

    url ──> NAME.part, resumed where it broke off ──> checked ──> NAME

It needs the standard library only, so corpora can be fetched without the extra `gather`.
"""

import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from imagemusic.errors import DataError

BLOCK_BYTES = 1 << 16
USER_AGENT = "imagemusic (open corpora)"
BUSY = (429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how long to retry a request."""

    attempts: int = 6
    first_wait_seconds: float = 1.0  # doubled each time
    longest_wait_seconds: float = 120.0
    timeout_seconds: float = 60.0


class _Broken(Exception):
    """A transfer failed and may be retried."""

    def __init__(self, reason: str, wait_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follow redirects within a host only."""

    def redirect_request(self, request, answer, code, message, headers, url):  # type: ignore[no-untyped-def]
        if urlsplit(url).netloc != urlsplit(request.full_url).netloc:
            raise DataError(f"{request.full_url}: refused a redirect to another host, {urlsplit(url).netloc}")
        return super().redirect_request(request, answer, code, message, headers, url)


def download(
    url: str,
    path: Path,
    *,
    policy: RetryPolicy | None = None,
    headers: dict[str, str] | None = None,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Fetch `url` into `path`, resuming what an earlier call left unfinished.

    Args:
        progress: called with the number of bytes of each block.

    Raises:
        DataError: the server refused, all attempts failed, or `path` cannot be written.
    """
    policy = policy or RetryPolicy()
    partial = path.with_name(path.name + ".part")
    for attempt in range(1, policy.attempts + 1):
        try:
            _transfer(url, partial, policy.timeout_seconds, headers or {}, progress)
            os.replace(partial, path)
            return
        except _Broken as broken:
            wait = max(policy.first_wait_seconds * 2 ** (attempt - 1), broken.wait_seconds)
            if attempt == policy.attempts or wait > policy.longest_wait_seconds:
                raise DataError(f"{url}: gave up after {attempt} attempts ({broken})") from broken
            time.sleep(wait)
        except OSError as error:
            raise DataError(f"{path}: cannot write it ({error.strerror})") from error


def _transfer(
    url: str,
    partial: Path,
    timeout_seconds: float,
    headers: dict[str, str],
    progress: Callable[[int], object] | None,
) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": USER_AGENT, **headers})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with urllib.request.build_opener(_SameHost).open(request, timeout=timeout_seconds) as answer:
            resumed = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            length = answer.headers.get("Content-Length")
            got = 0
            with partial.open("ab" if resumed else "wb") as out:
                while block := answer.read(BLOCK_BYTES):
                    out.write(block)
                    got += len(block)
                    if progress:
                        progress(len(block))
    except urllib.error.HTTPError as error:
        if error.code == 416:  # the file on the server has changed
            partial.unlink(missing_ok=True)
            raise _Broken("the server has another file now") from error
        if error.code in BUSY:
            after = error.headers.get("Retry-After", "")
            raise _Broken(f"HTTP {error.code}", float(after) if after.isdigit() else 0.0) from error
        raise DataError(f"{url}: the server answered HTTP {error.code} {error.reason}") from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise _Broken(str(getattr(error, "reason", "")) or type(error).__name__) from error
    if length is not None and got != int(length):
        raise _Broken(f"the body broke off after {got} of {length} bytes")
