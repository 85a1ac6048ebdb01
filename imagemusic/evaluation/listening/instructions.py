"""What the experimenter has to know, written into each kit."""

README = """\
# A blind listening test

Each of {trials} questions plays a piece of {seconds:g} seconds and shows two pictures. The piece was made from one of
them; the listener says which. Who only guesses is right half of the time.

## How to run it

1. Keep the key (`...-key.json`, beside this folder) to yourself, and nowhere that listeners reach. It is not in this
   folder, and the page cannot tell right from wrong.
2. Give listeners this folder: as it is, to open `index.html`, or on any web server that serves files. The page asks
   nothing of any other place, and sends nothing anywhere.
3. Headphones, a quiet place, one listener at a time, no talking about the pieces before all are done.
4. Each listener writes a code of your choice, or keeps the one that the page draws. Answers stay in the browser, so
   that a closed page goes on where it was, until the listener saves them at the end: as a JSON or CSV file, or copied.
5. Collect the files, and score them: `imagemusic evaluate score-listening KEY ANSWERS...`

Every listener hears the pieces in an order of their own.

## Before the first listener

- Have twice as many pictures as questions, so that nobody sees a picture twice.
- Decide how many listeners you will ask, and ask that many: stopping when the result pleases makes it worthless.
- Decide who counts. Leave out nobody afterwards for their answers; leave out those who did not hear the sound.
- Do not listen along, and do not answer yourself if you have seen the key.

## How to read the result

Each listener's share of right answers has an exact binomial (Clopper-Pearson) interval. The interval of all answers
together takes them as independent, which they are not: one listener's answers are alike, and all hear the same pieces.
It is too narrow. With five listeners or more there is one over listeners too. Neither speaks for other pictures than
those of this kit.
"""


def readme(trials: int, seconds: float) -> str:
    """Write the instructions of a kit."""
    return README.format(trials=trials, seconds=seconds)
