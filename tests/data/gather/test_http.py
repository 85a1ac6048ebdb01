"""Questions to a real server on this machine, with its bad days."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

pytest.importorskip("requests")
pytest.importorskip("tenacity")

from imagemusic.data.download import RetryPolicy
from imagemusic.data.gather.http import RateLimiter, WebClient, parse_items, retry_after
from imagemusic.errors import DataError, GatheringStopped, NotThere
from tests.servers import serving
from tests.songs import Song, picture_of

QUICK = RetryPolicy(attempts=3, first_wait_seconds=0.001, longest_wait_seconds=2, timeout_seconds=5)
IMAGE = "/image/abc/64"


@pytest.fixture
def server():
    with serving([Song("Ann", "One", "First")]) as server:
        yield server


@pytest.fixture
def said():
    return []


@pytest.fixture
def web(said):
    return WebClient("shop", policy=QUICK, contact="me@example.org", notify=said.append)


def test_a_picture_comes_as_it_is(web, server):
    assert web.body(server.url + IMAGE) == picture_of("abc", 64)


def test_the_user_agent_has_a_name_and_a_contact(web, server):
    web.body(server.url + IMAGE)
    (agent,) = server.agents
    assert agent.startswith("imagemusic/") and agent.endswith(" ( me@example.org )")


@pytest.mark.parametrize("trouble", ["500", "502", "503", "504", "429 0.01", "cut", "short"])
def test_what_goes_wrong_once_is_asked_again(web, server, trouble):
    server.troubles["/image"] = [trouble]
    assert web.body(server.url + IMAGE) == picture_of("abc", 64)
    assert len(server.asked) == 2


def test_a_short_wait_is_kept_and_reported(web, server, said):
    server.troubles["/image"] = ["429 1"]
    started = time.monotonic()
    web.body(server.url + IMAGE)
    assert time.monotonic() - started >= 1
    assert said == ["shop: HTTP 429, waiting 1 s"]


def test_a_long_wait_stops_and_says_when_to_come_back(web, server):
    server.troubles["/image"] = ["429 80000"]
    tomorrow = datetime.now() + timedelta(seconds=80000)
    with pytest.raises(GatheringStopped, match=rf"shop: too many questions .* after {tomorrow:%Y-%m-%d}") as caught:
        web.body(server.url + IMAGE)
    assert "\n" not in str(caught.value)
    assert len(server.asked) == 1


def test_a_quota_that_is_used_up_stops_at_once(web, server):
    server.troubles["/image"] = ["quota"]
    with pytest.raises(GatheringStopped, match="QUOTA_EXCEEDED"):
        web.body(server.url + IMAGE)
    assert len(server.asked) == 1


def test_too_many_questions_for_ever_stop(web, server):
    server.troubles["/image"] = ["429 0.01"] * 9
    with pytest.raises(GatheringStopped, match="still too many questions after 3 waits"):
        web.body(server.url + IMAGE)


def test_a_server_that_stays_down_is_given_up(web, server):
    server.troubles["/image"] = ["503"] * 9
    with pytest.raises(DataError, match=r"gave up after 3 attempts \(HTTP 503\)") as caught:
        web.body(server.url + IMAGE)
    assert not isinstance(caught.value, GatheringStopped)
    assert len(server.asked) == 3


def test_a_port_without_a_server_is_given_up(web):
    with pytest.raises(DataError, match=r"gave up after 3 attempts \(the connection failed\)"):
        web.body("http://127.0.0.1:9/x")


@pytest.mark.parametrize("part", ["headers", "body"])
def test_a_slow_server_is_given_up(server, part):
    impatient = RetryPolicy(attempts=1, timeout_seconds=0.05)
    server.troubles["/image"] = ["slow 0.3" if part == "headers" else "drip"]
    with pytest.raises(DataError, match="gave up after 1 attempts"):
        WebClient("shop", policy=impatient).body(server.url + IMAGE)


def test_what_is_not_there_is_an_error_of_its_own_after_one_request(web, server):
    with pytest.raises(NotThere, match=r"/nothing: not there \(HTTP 404\)"):
        web.body(server.url + "/nothing")
    assert len(server.asked) == 1


def test_a_page_is_no_json(web, server):
    server.troubles["/v1"] = ["html"]
    with pytest.raises(DataError, match="sent something else than JSON"):
        web.json(server.url + "/v1/search", {})


def test_a_redirect_to_another_host_is_refused(web, server):
    server.troubles["/image"] = ["redirect http://localhost:1/x"]
    with pytest.raises(DataError, match="refused a redirect to another host, localhost:1"):
        web.body(server.url + IMAGE)


def test_a_redirect_to_a_listed_host_is_followed(server):
    server.troubles["/image"] = [f"redirect http://localhost:{server.server_port}{IMAGE}"]
    assert WebClient("shop", hosts=("localhost",), policy=QUICK).body(server.url + IMAGE) == picture_of("abc", 64)


def test_a_host_whose_name_only_ends_alike_is_not_listed(server):
    server.troubles["/image"] = ["redirect http://evilarchive.org/x"]
    with pytest.raises(DataError, match="refused a redirect to another host, evilarchive.org"):
        WebClient("shop", hosts=("archive.org",), policy=QUICK).body(server.url + IMAGE)


def test_redirects_in_circles_end(web, server):
    server.troubles["/image"] = [f"redirect {IMAGE}"] * 9
    with pytest.raises(DataError, match="more than 5 redirects"):
        web.body(server.url + IMAGE)


def test_an_address_that_is_none_is_refused(web):
    with pytest.raises(DataError, match="the request failed"):
        web.body("nonsense")


def test_a_pace_lets_through_one_in_each_interval():
    now, waits = [100.0], []

    def sleep(seconds):
        waits.append(seconds)
        now[0] += seconds

    limiter = RateLimiter(1.0, clock=lambda: now[0], sleep=sleep)
    times = []
    for work_seconds in (0.0, 0.25, 3.0, 0.0):
        limiter.wait()
        times.append(now[0])
        now[0] += work_seconds
    assert times == [100.0, 101.0, 102.0, 105.0]
    assert waits == [1.0, 0.75]


def test_threads_share_a_pace(server):
    from concurrent.futures import ThreadPoolExecutor

    web = WebClient("shop", per_second=50, policy=QUICK)
    started = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: web.body(server.url + IMAGE), range(8)))
    assert max(when for when, _, _ in server.asked) - started >= 7 / 50


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("-3", 0.0), ("", 0.0), ("soon", 0.0), ("nan", 0.0), ("inf", 366 * 86400.0)],
)
def test_how_long_to_wait_is_read(said, seconds):
    assert retry_after({"Retry-After": said}) == seconds


def test_how_long_to_wait_may_be_a_date():
    when = datetime.now(UTC) + timedelta(seconds=90)
    assert 85 < retry_after({"Retry-After": format_datetime(when, usegmt=True)}) <= 90


def test_items_that_cannot_be_parsed_are_left_out_unless_none_can():
    assert parse_items([None, {"n": 1}, {}], lambda item: item["n"], "x") == [1]
    assert parse_items([None], lambda item: item["n"], "x") == []
    with pytest.raises(DataError, match="x: an answer that is not understood"):
        parse_items([{}, None], lambda item: item["n"], "x")
