"""A server on this machine that answers as Spotify, MusicBrainz and the Cover Art Archive do, bad days included.

    python -m tests.servers FILES    says its address, and serves the songs `song_of(0)` .. `song_of(FILES - 1)`

`troubles` holds what goes wrong first, by the start of a path: a status, `429 SECONDS`, `quota`, `cut`, `short`,
`long`, `html`, `junk`, `slow SECONDS`, `drip`, `json TEXT`, `redirect ADDRESS`.
"""

import base64
import functools
import json
import re
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.songs import picture_of, song_of

SECRET = "Basic " + base64.b64encode(b"id:secret").decode()
WIDTHS = (640, 300, 64)


class Server(ThreadingHTTPServer):
    """Serves `songs`; remembers what was asked."""

    daemon_threads = True

    def __init__(self, songs, delay_seconds=0.0):
        super().__init__(("127.0.0.1", 0), Handler)
        self.songs, self.delay_seconds = list(songs), delay_seconds
        self.troubles, self.asked, self.tokens, self.agents = {}, [], set(), set()
        self.token_seconds = 3600
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """A client that was killed is no error of the server's."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are written apart; the second would wait for an answer
    wbufsize = -1

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer()

    def answer(self):
        server = self.server
        address = urlsplit(self.path)
        self.fields = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path == "/_asked":
            return self.send_json(server.asked)
        server.asked.append((time.monotonic(), address.path, self.fields))
        server.agents.add(self.headers.get("User-Agent"))
        time.sleep(server.delay_seconds)
        trouble = next((t.pop(0) for start, t in server.troubles.items() if address.path.startswith(start) and t), "")
        if trouble and self.go_wrong(trouble):
            return None
        for pattern, reply in ROUTES:
            if found := re.fullmatch(pattern, address.path):
                return reply(self, *found.groups())
        return self.send_json({"error": {"status": 404, "message": "Not found"}}, 404)

    def go_wrong(self, trouble):
        """Do what goes wrong; tell whether that was all."""
        kind, _, value = trouble.partition(" ")
        if kind == "slow":
            time.sleep(float(value))
            return False
        if kind in ("cut", "short", "long", "drip"):
            self.damage = kind
            return False
        if kind == "redirect":
            self.send(b"", "text/plain", 302, Location=value)
        elif kind == "html":
            self.send(b"<!DOCTYPE html><title>Welcome to the hotel</title>", "text/html")
        elif kind == "junk":
            self.send(b"\xff\xd8\xff and so on, but no JPEG", "image/jpeg")
        elif kind == "json":
            self.send_json(json.loads(value))
        elif kind == "quota":
            self.send_json({"error": {"status": 429, "message": "no more", "reason": "QUOTA_EXCEEDED"}}, 429)
        else:
            headers = {"Retry-After": value} if value else {}
            self.send_json({"error": {"status": int(kind), "message": "on purpose"}}, int(kind), **headers)
        return True

    damage = ""

    def send(self, body, kind, status=200, **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        claimed = len(body) + {"cut": 0, "short": 100, "long": -(len(body) // 2)}.get(self.damage, 0)
        self.send_header("Content-Length", str(max(claimed, 0)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.damage == "drip":
            for start in range(40):
                self.wfile.write(body[start : start + 1])
                self.wfile.flush()
                time.sleep(0.02)
        else:
            self.wfile.write(body[: len(body) // 2] if self.damage == "cut" else body)
        if self.damage:
            self.damage, self.close_connection = "", True

    def send_json(self, table, status=200, **headers):
        self.send(json.dumps(table).encode(), "application/json", status, **headers)

    def log_message(self, *arguments):
        pass

    # Spotify

    def token(self):
        if self.headers.get("Authorization") != SECRET:
            return self.send_json({"error": "invalid_client", "error_description": "Invalid client secret"}, 400)
        token = f"token-{len(self.server.tokens)}"
        self.server.tokens = {token}  # an earlier one is good no more
        return self.send_json({"access_token": token, "token_type": "Bearer", "expires_in": self.server.token_seconds})

    def allowed(self):
        if self.headers.get("Authorization", "").removeprefix("Bearer ") in self.server.tokens:
            return True
        self.send_json({"error": {"status": 401, "message": "The access token expired"}}, 401)
        return False

    def spotify_search(self):
        if not self.allowed():
            return None
        limit, offset = int(self.fields.get("limit", 5)), int(self.fields.get("offset", 0))
        if not 1 <= limit <= 10 or limit + offset > 1000:
            return self.send_json({"error": {"status": 400, "message": "Invalid limit"}}, 400)
        words = self.fields["q"]
        quoted = re.fullmatch(r'track:"(.*)" artist:"(.*)"', words)
        if quoted:
            found = [
                s
                for s in self.server.songs
                if (s.title.lower(), s.artist.lower()) == tuple(map(str.lower, quoted.groups()))
            ]
        else:
            wanted = set(words.lower().split())
            found = [s for s in self.server.songs if wanted <= set(f"{s.artist} {s.title} {s.album}".lower().split())]
        kind = self.fields["type"]
        items = [self.spotify_track(s) if kind == "track" else self.spotify_album(s) for s in found[offset:][:limit]]
        return self.send_json({f"{kind}s": {"items": items, "limit": limit, "offset": offset, "total": len(found)}})

    def spotify_track(self, song):
        return {
            "id": song.id, "name": song.title, "artists": [{"name": song.artist}], "album": self.spotify_album(song),
            "duration_ms": round(song.seconds * 1000), "external_ids": {"isrc": f"XX{song.id[:10].upper()}"},
        }  # fmt: skip

    def spotify_album(self, song):
        images = [{"url": f"{self.server.url}/image/{song.album_id}/{w}", "width": w, "height": w} for w in WIDTHS]
        return {
            "id": song.album_id, "name": song.album, "album_type": song.kind, "artists": [{"name": song.artist}],
            "images": images, "release_date": song.date,
        }  # fmt: skip

    def spotify_album_by_id(self, identity):
        if not self.allowed():
            return None
        songs = [song for song in self.server.songs if song.album_id == identity]
        if not songs:
            return self.send_json({"error": {"status": 404, "message": "Resource not found"}}, 404)
        return self.send_json(self.spotify_album(songs[0]) | {"tracks": self.page(songs, 20, 0)})

    def spotify_tracks(self, identity):
        songs = [song for song in self.server.songs if song.album_id == identity]
        return self.allowed() and self.send_json(
            self.page(songs, int(self.fields["limit"]), int(self.fields["offset"]))
        )

    def page(self, songs, limit, offset):
        items = [
            {"id": s.id, "name": s.title, "track_number": n, "disc_number": 1, "duration_ms": round(s.seconds * 1000)}
            for n, s in enumerate(songs, 1)
        ]
        more = "https://elsewhere.example/next" if offset + limit < len(songs) else None
        return {"items": items[offset:][:limit], "next": more, "total": len(songs), "limit": limit, "offset": offset}

    def gone_for_new_applications(self):
        return self.send_json({"error": {"status": 403, "message": "Forbidden"}}, 403)

    def image(self, identity, width):
        return self.send(picture_of(identity, int(width)), "image/jpeg")

    # MusicBrainz and the Cover Art Archive

    def recordings(self):
        query = self.fields["query"]
        quoted = re.fullmatch(r'recording:"(.*)" AND artist:"(.*)"', query)
        if quoted:
            wanted = tuple(text.replace("\\", "").lower() for text in quoted.groups())
            found = [s for s in self.server.songs if (s.title.lower(), s.artist.lower()) == wanted]
        else:
            words = {word[:4] for word in re.sub(r"recording:|artist:|AND|[()~]", " ", query).lower().split()}
            found = [s for s in self.server.songs if words <= {w[:4] for w in f"{s.artist} {s.title}".lower().split()}]
        return self.send_json({"recordings": [self.recording(song) for song in found]})

    def recording(self, song):
        return {
            "id": song.id, "title": song.title, "length": round(song.seconds * 1000),
            "isrcs": [f"XX{song.id[:10].upper()}"], "artist-credit": [{"name": song.artist, "joinphrase": ""}],
            "releases": [self.release(song)],
        }  # fmt: skip

    def release(self, song):
        kind = {"compilation": {"primary-type": "Album", "secondary-types": ["Compilation"]}}
        group = {"id": song.group, "title": song.album} | kind.get(song.kind, {"primary-type": song.kind.title()})
        credit = [{"name": song.artist}]
        return {
            "id": song.group[::-1], "title": song.album, "status": "Official", "date": song.date,
            "release-group": group, "artist-credit": credit,
        }  # fmt: skip

    def groups(self):
        words = set(self.fields["query"].lower().split())
        found = [s for s in self.server.songs if words <= set(f"{s.album} {s.artist}".lower().split())]
        return self.send_json({"release-groups": [{"id": s.group, "title": s.album} for s in found][:1]})

    def releases_of_group(self):
        found = [s for s in self.server.songs if s.group == self.fields["release-group"]][:1]
        return self.send_json({"releases": [self.release(song) for song in found]})

    def release_by_id(self, identity):
        songs = [song for song in self.server.songs if song.group[::-1] == identity]
        if not songs:
            return self.send_json({"error": "Not Found"}, 404)
        tracks = [{"title": s.title, "length": round(s.seconds * 1000), "recording": {"id": s.id}} for s in songs]
        return self.send_json(self.release(songs[0]) | {"media": [{"tracks": tracks}]})

    def front(self, group, width):
        return self.send(b"", "text/html", 307, Location=f"{self.server.url}/archive/{group}/{width or 1600}")


ROUTES = (
    (r"/api/token", Handler.token),
    (r"/v1/search", Handler.spotify_search),
    (r"/v1/albums/(\w+)", Handler.spotify_album_by_id),
    (r"/v1/albums/(\w+)/tracks/?", Handler.spotify_tracks),
    (r"/v1/(?:albums|tracks|artists)/?", Handler.gone_for_new_applications),
    (r"/image/(\w+)/(\d+)", Handler.image),
    (r"/ws/2/recording", Handler.recordings),
    (r"/ws/2/release-group", Handler.groups),
    (r"/ws/2/release", Handler.releases_of_group),
    (r"/ws/2/release/([\w-]+)", Handler.release_by_id),
    (r"/release-group/([\w-]+)/front(?:-(\d+))?", Handler.front),
    (r"/archive/([\w-]+)/(\d+)", Handler.image),
)


@contextmanager
def serving(songs):
    """Serve songs from a thread of this process."""
    server = Server(songs)
    thread = threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.01))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


if __name__ == "__main__":
    process = Server(song_of(number) for number in range(int(sys.argv[1])))
    print(process.url, flush=True)
    process.serve_forever()
