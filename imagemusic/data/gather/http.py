"""Questions to catalogues on the web: paced, patient, and only to hosts that are known.

question ──> pace ──> Session.send ──> host, length, status ──> answer
              ^                               │ busy, cut short, slow
              └─────── wait, longer each time ┘    too long a wait, a quota used up ──> GatheringStopped
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
import tenacity

from imagemusic.data.download import BUSY, Patience
from imagemusic.errors import DataError, GatheringStopped, NotThere
from imagemusic.version import __version__

BLOCK_BYTES = 1 << 12  # small, so that a body that drips is noticed
MOST_BYTES = 40_000_000  # of one answer
MOST_REDIRECTS = 5
SLOWEST = 3  # times the timeout that a whole answer may take
PATIENCE = Patience(attempts=5, longest_wait_seconds=60.0, timeout_seconds=20.0)
TOO_MANY = 429
LONGEST_WAIT_SECONDS = 366 * 86400.0  # that is believed

Answer = TypeVar("Answer")
Say = Callable[[str], object]


class Busy(Exception):
    """A question that may be asked again."""

    def __init__(self, url: str, reason: str, wait_seconds: float = 0.0, *, status: int = 0) -> None:
        super().__init__(f"{url}: {reason}")
        self.url, self.reason, self.wait_seconds, self.status = url, reason, wait_seconds, status


class Pace:
    """Lets through at most so many questions a second, whichever thread asks."""

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
        """Return when the next question may be asked."""
        with self._lock:
            while (pause := self._next - self._clock()) > 0:
                self._sleep(pause)
            self._next = self._clock() + self._interval


class Session(requests.Session):
    """A session that keeps to hosts, lengths and times, and tells what may be asked again from what may not."""

    def __init__(self, *, user_agent: str, hosts: tuple[str, ...], patience: Patience, pace: Pace | None) -> None:
        super().__init__()
        self.headers["User-Agent"] = user_agent
        self.max_redirects = MOST_REDIRECTS
        self._hosts, self._patience, self._pace = hosts, patience, pace

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Follow a redirect within a host, or to one that is listed.

        Raises:
            DataError: it leads elsewhere.
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
        """Send a question and read the whole answer.

        Raises:
            Busy: it may be asked again.
            GatheringStopped: a quota is used up.
            DataError: the answer is too large, or redirected in circles.
        """
        if self._pace:
            self._pace.wait()
        url = str(request.url)
        kwargs["timeout"] = self._patience.timeout_seconds
        try:
            response = super().send(request, **(kwargs | {"stream": True}))
            self._read(response)
        except (requests.ConnectionError, requests.Timeout) as error:
            slow = isinstance(error, requests.Timeout)
            raise Busy(url, "no answer in time" if slow else "the connection failed") from error
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
            raise Busy(url, "the body broke off") from error
        except requests.TooManyRedirects as error:
            if error.response is not None:
                error.response.close()
            raise DataError(f"{url}: more than {MOST_REDIRECTS} redirects") from error
        if response.status_code in BUSY:
            if "QUOTA_EXCEEDED" in response.text:
                raise GatheringStopped(f"{url}: the quota is used up (QUOTA_EXCEEDED){_when(response.headers)}")
            wait = retry_after(response.headers)
            raise Busy(url, f"HTTP {response.status_code}", wait, status=response.status_code)
        return response

    def _read(self, response: requests.Response) -> None:
        """Read a body, within a time and a size, to where requests keeps it."""
        if response._content is not False:  # the end of redirects, read when they were followed
            return
        last = time.monotonic() + SLOWEST * self._patience.timeout_seconds
        body = bytearray()
        for block in response.iter_content(BLOCK_BYTES):
            body += block
            if len(body) > MOST_BYTES:
                response.close()
                raise DataError(f"{response.url}: more than {MOST_BYTES / 1e6:.0f} MB; refused")
            if time.monotonic() > last:
                response.close()
                raise Busy(response.url, "too slow")
        response._content = bytes(body)


class Web:
    """One catalogue's corner of the web.

    Args:
        hosts: where redirects may lead besides the host that was asked, with their subdomains.
        say: told what is being waited for.
    """

    def __init__(
        self,
        name: str,
        *,
        hosts: tuple[str, ...] = (),
        per_second: float | None = None,
        contact: str = "",
        patience: Patience = PATIENCE,
        say: Say = lambda line: None,
    ) -> None:
        self.name = name
        self._patience, self._say = patience, say
        user_agent = f"imagemusic/{__version__}" + (f" ( {contact} )" if contact else "")
        pace = Pace(per_second) if per_second else None
        self.session = Session(user_agent=user_agent, hosts=hosts, patience=patience, pace=pace)

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Ask until there is an answer.

        Raises:
            DataError: none after several attempts.
            GatheringStopped: the catalogue wants to be left alone for longer than patience lasts.
        """
        patience = self._patience

        def attempt() -> Answer:
            try:
                return question()
            except Busy as busy:
                if busy.wait_seconds > patience.longest_wait_seconds:
                    when = come_back(busy.wait_seconds)
                    raise GatheringStopped(f"{self.name}: too many questions ({busy.reason}); {when}") from busy
                raise

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Busy),
            stop=tenacity.stop_after_attempt(patience.attempts),
            wait=self._pause,
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except Busy as busy:
            if busy.status == TOO_MANY:
                raise GatheringStopped(
                    f"{self.name}: still too many questions after {patience.attempts} waits"
                ) from busy
            raise DataError(f"{busy.url}: gave up after {patience.attempts} attempts ({busy.reason})") from busy

    def json(self, url: str, parameters: Mapping[str, str | int]) -> Any:
        """Ask for JSON.

        Raises:
            NotThere: the server has it not.
            DataError: it refused, gave up, or sent something else.
            GatheringStopped: see `ask`.
        """
        answer = self._get(url, parameters)
        try:
            return answer.json()
        except ValueError as error:
            raise DataError(f"{url}: sent something else than JSON") from error

    def body(self, url: str) -> bytes:
        """Ask for bytes.

        Raises:
            NotThere, DataError, GatheringStopped: as for `json`.
        """
        return bytes(self._get(url, {}).content)

    def _get(self, url: str, parameters: Mapping[str, str | int]) -> requests.Response:
        try:
            answer = self.ask(lambda: self.session.get(url, params=dict(parameters)))
        except requests.RequestException as error:
            raise DataError(f"{url}: cannot be asked ({type(error).__name__})") from error
        if answer.status_code in (404, 410):
            raise NotThere(f"{url}: not there (HTTP {answer.status_code})")
        if not answer.ok:
            raise DataError(f"{url}: the server answered HTTP {answer.status_code} {answer.reason}")
        return answer

    def _pause(self, state: tenacity.RetryCallState) -> float:
        busy = state.outcome.exception() if state.outcome else None
        asked = busy.wait_seconds if isinstance(busy, Busy) else 0.0
        return max(asked, self._patience.first_wait_seconds * 2 ** (state.attempt_number - 1))

    def _tell(self, state: tenacity.RetryCallState) -> None:
        busy = state.outcome.exception() if state.outcome else None
        if isinstance(busy, Busy):
            self._say(f"{self.name}: {busy.reason}, waiting {self._pause(state):.0f} s")


@contextmanager
def understood(where: str) -> Iterator[None]:
    """Turn what goes wrong while an answer is taken apart into an error that names it."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__} {error}"
        raise DataError(f"{where}: an answer that is not understood ({reason})") from error


def retry_after(headers: Mapping[str, str]) -> float:
    """Read how many seconds to wait, given as such or as a date; 0 where it is not said."""
    text = headers.get("Retry-After", "").strip()
    try:
        return min(max(0.0, float(text)), LONGEST_WAIT_SECONDS)
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return 0.0


def come_back(seconds: float) -> str:
    """Say when to come back."""
    when = datetime.now() + timedelta(seconds=seconds)
    return f"what was found is kept; give the same command again after {when:%Y-%m-%d %H:%M}"


def _when(headers: Mapping[str, str]) -> str:
    seconds = retry_after(headers)
    return f"; {come_back(seconds)}" if seconds else "; what was found is kept; give the same command again tomorrow"
