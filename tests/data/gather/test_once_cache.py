from imagemusic.data.gather.once_cache import OnceCache


def test_what_is_made_once_is_made_once_and_the_latest_are_remembered():
    made = []

    def make(name):
        made.append(name)
        return name.upper()

    once = OnceCache(2)
    assert [once.get(name, lambda name=name: make(name)) for name in "aabca"] == list("AABCA")
    assert made == ["a", "b", "c", "a"]
