import numpy as np

from imagemusic.audio.room import FFT_FRAMES, FIRST_ECHO_SECONDS, WET_DB, add_room, room_response

RATE = 22_050


def test_a_click_gives_the_click_and_then_the_response():
    frames = np.zeros((2 * RATE, 2), np.float32)
    frames[0] = 1
    add_room(frames, RATE)
    response = room_response(RATE).T
    assert (frames[0] == 1 + response[0]).all()
    np.testing.assert_allclose(frames[1 : len(response)], response[1:], atol=1e-6)


def test_clicks_on_both_sides_of_a_block_add_up():
    frames = np.zeros((FFT_FRAMES + RATE, 2), np.float32)
    response = room_response(RATE).T
    border = FFT_FRAMES - len(response) + 1
    expected = frames.copy()
    for at in (border - 10, border + 10):
        frames[at] += 1
        expected[at] += 1
        expected[at : at + len(response)] += response
    add_room(frames, RATE)
    np.testing.assert_allclose(frames, expected, atol=1e-6)


def test_the_room_is_quiet_late_and_decaying():
    response = room_response(RATE)
    first = round(FIRST_ECHO_SECONDS * RATE)
    assert not response[:, :first].any()
    np.testing.assert_allclose(10 * np.log10((response**2).sum(axis=1)), WET_DB, atol=0.01)
    early, late = np.array_split(response[:, first:], 2, axis=1)
    assert 10 * np.log10((early**2).sum() / (late**2).sum()) > 25


def test_ears_hear_different_rooms_that_never_change():
    left, right = room_response(RATE)
    assert abs(np.corrcoef(left, right)[0, 1]) < 0.1
    np.testing.assert_array_equal(left, room_response(RATE)[0])
