"""Requests to web catalogues: rate-limited, retried, and to known hosts only.

request ──> RateLimiter ──> Session.send ──> host, length, status ──> response
              ^                               │ busy, cut short, slow
              └─────── wait, longer each time ┘    too long a wait, a quota used up ──> GatheringStopped
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
import tenacity

from imagemusic.data.download import BUSY, RetryPolicy
from imagemusic.errors import DataError, GatheringStopped, NotThere
from imagemusic.version import __version__

BLOCK_BYTES = 1 << 12  # small, so that a body that arrives too slowly is noticed
MOST_BYTES = 40_000_000  # of one response
MOST_REDIRECTS = 5
SLOWEST = 3  # times the timeout that a whole response may take
RETRY_POLICY = RetryPolicy(attempts=5, longest_wait_seconds=60.0, timeout_seconds=20.0)
TOO_MANY = 429
LONGEST_CREDIBLE_WAIT_SECONDS = 366 * 86400.0

Answer = TypeVar("Answer")
Notify = Callable[[str], object]


class RetryLater(Exception):
    """A request failed and may be repeated."""

    def __init__(self, url: str, reason: str, wait_seconds: float = 0.0, *, status: int = 0) -> None:
        super().__init__(f"{url}: {reason}")
        self.url, self.reason, self.wait_seconds, self.status = url, reason, wait_seconds, status


class RateLimiter:
    """Let through at most `per_second` requests a second, from all threads together."""

    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._interval = 1 / per_second
        self._clock, self._sleep = clock, sleep
        self._next = clock()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Block until the next request may be sent."""
        with self._lock:
            while (pause := self._next - self._clock()) > 0:
                self._sleep(pause)
            self._next = self._clock() + self._interval


class Session(requests.Session):
    """A session that limits hosts, sizes and times, and raises RetryLater for failures that may pass."""

    def __init__(
        self, *, user_agent: str, hosts: tuple[str, ...], policy: RetryPolicy, limiter: RateLimiter | None
    ) -> None:
        super().__init__()
        self.headers["User-Agent"] = user_agent
        self.max_redirects = MOST_REDIRECTS
        self._hosts, self._policy, self._limiter = hosts, policy, limiter

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return where a redirect leads, within a host or to a listed one.

        Raises:
            DataError: it leads to another host.
        """
        target = super().get_redirect_target(resp)
        if target is not None:
            here, there = urlsplit(resp.url), urlsplit(urljoin(resp.url, target))
            host = there.hostname or ""
            listed = any(host == known or host.endswith(f".{known}") for known in self._hosts)
            if there.netloc != here.netloc and not listed:
                resp.close()
                raise DataError(f"{resp.url}: refused a redirect to another host, {there.netloc}")
        return target

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request and read the whole response.

        Raises:
            RetryLater: the server is busy, slow, or cut the response short.
            GatheringStopped: a quota is used up.
            DataError: the response is too large, or redirected too often.
        """
        if self._limiter:
            self._limiter.wait()
        url = str(request.url)
        kwargs["timeout"] = self._policy.timeout_seconds
        try:
            response = super().send(request, **(kwargs | {"stream": True}))
            self._read(response)
        except (requests.ConnectionError, requests.Timeout) as error:
            slow = isinstance(error, requests.Timeout)
            raise RetryLater(url, "no answer in time" if slow else "the connection failed") from error
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
            raise RetryLater(url, "the body broke off") from error
        except requests.TooManyRedirects as error:
            if error.response is not None:
                error.response.close()
            raise DataError(f"{url}: more than {MOST_REDIRECTS} redirects") from error
        if response.status_code in BUSY:
            if "QUOTA_EXCEEDED" in response.text:
                raise GatheringStopped(f"{url}: the quota is used up (QUOTA_EXCEEDED){_quota_end(response.headers)}")
            wait = retry_after(response.headers)
            raise RetryLater(url, f"HTTP {response.status_code}", wait, status=response.status_code)
        return response

    def _read(self, response: requests.Response) -> None:
        """Read a body into the response, within limits of time and size."""
        if response._content is not False:  # already read while redirects were followed
            return
        last = time.monotonic() + SLOWEST * self._policy.timeout_seconds
        body = bytearray()
        for block in response.iter_content(BLOCK_BYTES):
            body += block
            if len(body) > MOST_BYTES:
                response.close()
                raise DataError(f"{response.url}: more than {MOST_BYTES / 1e6:.0f} MB; refused")
            if time.monotonic() > last:
                response.close()
                raise RetryLater(response.url, "too slow")
        response._content = bytes(body)


class WebClient:
    """Requests to one catalogue.

    Args:
        hosts: to which redirects may lead besides the requested host, with their subdomains.
        notify: called with one line for each wait.
    """

    def __init__(
        self,
        name: str,
        *,
        hosts: tuple[str, ...] = (),
        per_second: float | None = None,
        contact: str = "",
        policy: RetryPolicy = RETRY_POLICY,
        notify: Notify = lambda line: None,
    ) -> None:
        self.name = name
        self._policy, self._notify = policy, notify
        user_agent = f"imagemusic/{__version__}" + (f" ( {contact} )" if contact else "")
        limiter = RateLimiter(per_second) if per_second else None
        self.session = Session(user_agent=user_agent, hosts=hosts, policy=policy, limiter=limiter)

    def retry(self, request: Callable[[], Answer]) -> Answer:
        """Call `request` until it succeeds.

        Raises:
            DataError: all attempts failed.
            GatheringStopped: the catalogue asks for a longer wait than the policy allows.
        """
        policy = self._policy

        def attempt() -> Answer:
            try:
                return request()
            except RetryLater as later:
                if later.wait_seconds > policy.longest_wait_seconds:
                    when = retry_time(later.wait_seconds)
                    raise GatheringStopped(f"{self.name}: too many questions ({later.reason}); {when}") from later
                raise

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(RetryLater),
            stop=tenacity.stop_after_attempt(policy.attempts),
            wait=self._wait_seconds,
            before_sleep=self._notify_wait,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except RetryLater as later:
            if later.status == TOO_MANY:
                raise GatheringStopped(
                    f"{self.name}: still too many questions after {policy.attempts} waits"
                ) from later
            raise DataError(f"{later.url}: gave up after {policy.attempts} attempts ({later.reason})") from later

    def json(self, url: str, parameters: Mapping[str, str | int]) -> Any:
        """Request JSON and return it parsed.

        Raises:
            NotThere: HTTP 404 or 410.
            DataError: the server refused, all attempts failed, or the response is not JSON.
            GatheringStopped: see `retry`.
        """
        answer = self._get(url, parameters)
        try:
            return answer.json()
        except ValueError as error:
            raise DataError(f"{url}: sent something else than JSON") from error

    def body(self, url: str) -> bytes:
        """Request a body and return its bytes.

        Raises:
            NotThere, DataError, GatheringStopped: as for `json`.
        """
        return bytes(self._get(url, {}).content)

    def _get(self, url: str, parameters: Mapping[str, str | int]) -> requests.Response:
        try:
            answer = self.retry(lambda: self.session.get(url, params=dict(parameters)))
        except requests.RequestException as error:
            raise DataError(f"{url}: the request failed ({type(error).__name__})") from error
        if answer.status_code in (404, 410):
            raise NotThere(f"{url}: not there (HTTP {answer.status_code})")
        if not answer.ok:
            raise DataError(f"{url}: the server answered HTTP {answer.status_code} {answer.reason}")
        return answer

    def _wait_seconds(self, state: tenacity.RetryCallState) -> float:
        later = state.outcome.exception() if state.outcome else None
        wait = later.wait_seconds if isinstance(later, RetryLater) else 0.0
        return max(wait, self._policy.first_wait_seconds * 2 ** (state.attempt_number - 1))

    def _notify_wait(self, state: tenacity.RetryCallState) -> None:
        later = state.outcome.exception() if state.outcome else None
        if isinstance(later, RetryLater):
            self._notify(f"{self.name}: {later.reason}, waiting {self._wait_seconds(state):.0f} s")


@contextmanager
def parsing(where: str) -> Iterator[None]:
    """Turn errors of parsing an answer into a DataError that names it."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__} {error}"
        raise DataError(f"{where}: an answer that is not understood ({reason})") from error


def parse_items(items: Iterable[Any], parse: Callable[[Any], Answer], where: str) -> list[Answer]:
    """Parse the items of an answer; null and incomplete ones are left out.

    Raises:
        DataError: there are items other than null, and none can be parsed.
    """
    parsed: list[Answer] = []
    failure: DataError | None = None
    for item in items:
        try:
            if item is not None:
                with parsing(where):
                    parsed.append(parse(item))
        except DataError as error:
            failure = failure or error
    if failure and not parsed:
        raise failure
    return parsed


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the Retry-After header, seconds or a date, in seconds; 0 where there is none."""
    text = headers.get("Retry-After", "").strip()
    try:
        return min(max(0.0, float(text)), LONGEST_CREDIBLE_WAIT_SECONDS)
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return 0.0


def retry_time(seconds: float) -> str:
    """Return when to run the command again, in words."""
    when = datetime.now() + timedelta(seconds=seconds)
    return f"what was found is kept; give the same command again after {when:%Y-%m-%d %H:%M}"


def _quota_end(headers: Mapping[str, str]) -> str:
    seconds = retry_after(headers)
    return f"; {retry_time(seconds)}" if seconds else "; what was found is kept; give the same command again tomorrow"
