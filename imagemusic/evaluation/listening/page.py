"""The page of a listening kit, which plays, asks and keeps the answers offline, and the kit's README."""

import json
from collections.abc import Mapping, Sequence

from imagemusic.reports.page import html_page

ANSWERS_FORMAT = "imagemusic listening answers"

README = """\
# A blind listening test

Each of {trials} questions plays a piece of {seconds:g} seconds and shows two pictures. The piece was made from one of
them; the listener says which. Chance is one half.

## How to run it

1. Keep the key (`...-key.json`, beside this folder) where listeners cannot reach it. It is not in this folder, and the
   page does not contain the answers.
2. Give listeners this folder: as it is, to open `index.html`, or on any static web server. The page loads nothing from
   other hosts and sends nothing.
3. Headphones, a quiet place, one listener at a time, no talking about the pieces before all are done.
4. Each listener enters a code of your choice, or keeps the random one. Answers are kept in the browser, so that a
   closed page resumes, until the listener saves them at the end: as a JSON or CSV file, or copied.
5. Collect the files, and score them: `imagemusic evaluate score-listening KEY ANSWERS...`

The order of the pieces is random for each listener.

## Before the first listener

- Have twice as many pictures as questions, so that no picture is shown twice.
- Fix the number of listeners beforehand and ask that many: optional stopping invalidates the intervals.
- Fix the criteria for exclusion beforehand. Exclude listeners who did not hear the sound; never exclude for answers.
- Do not answer yourself if you have seen the key.

## How to read the result

Each listener's share of right answers has an exact binomial (Clopper-Pearson) interval. The interval of all answers
together assumes that they are independent. They are not: one listener's answers are alike, and all listeners hear the
same pieces, so that interval is too narrow. With five listeners or more there is one over listeners too. Neither
generalises to other pictures than those of this kit.
"""

HEAD = '<meta name="robots" content="noindex"><link rel="icon" href="data:,">'

STYLE = """
body { margin: 0 auto; padding: 1rem; max-width: 60rem; font-size: 1.05rem; }
h1 { font-size: 1.5rem; margin: 0.3rem 0; }
p, label { color: var(--faint); }
section { display: none; }
section.shown { display: block; }
audio { width: 100%; margin: 0.6rem 0; }
#pictures { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
#pictures button { padding: 0.4rem; background: var(--card); border: 3px solid transparent; border-radius: 0.6rem; }
#pictures button:not(:disabled):hover, #pictures button:focus-visible { border-color: var(--mark); }
#pictures button:disabled { opacity: 0.6; }
#pictures img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; }
button.plain { font: inherit; padding: 0.5rem 1.2rem; border: 0; border-radius: 0.4rem; background: var(--mark);
  color: #fff; cursor: pointer; }
input { font: inherit; padding: 0.3rem 0.5rem; width: 12rem; }
progress { width: 100%; accent-color: var(--mark); }
textarea { width: 100%; height: 10rem; font: 0.8rem/1.3 ui-monospace, monospace; }
"""

BODY = """<section id="welcome">
  <h1>Which picture?</h1>
  <p>You will hear <b id="count"></b> short pieces of music. With each you see two pictures. The piece was made from
  one of them: choose the one that you think it was. If you cannot tell, guess.</p>
  <p>Put on headphones, and play a sound first to set the loudness. You may play a piece as often as you like. The page
  does not show whether an answer is right. Answers stay in this browser until you save them at the end.</p>
  <p><label>Your code <input id="listener" maxlength="40" autocomplete="off"></label></p>
  <button class="plain" id="begin">Begin</button>
</section>

<section id="question">
  <progress id="done" value="0"></progress>
  <h1 id="which"></h1>
  <audio id="sound" controls preload="auto"></audio>
  <p id="hint" role="status"></p>
  <div id="pictures">
    <button id="left" disabled><img alt="left picture"></button>
    <button id="right" disabled><img alt="right picture"></button>
  </div>
</section>

<section id="end">
  <h1>Thank you</h1>
  <p>These are your answers. Please save them, and give the file to the experimenter.</p>
  <p><button class="plain" id="json">Save as JSON</button> <button class="plain" id="csv">Save as CSV</button>
  <button class="plain" id="copy">Copy</button> <span id="copied" role="status"></span></p>
  <textarea id="text" readonly aria-label="your answers"></textarea>
  <p><button class="plain" id="again">Saved: another listener begins</button></p>
</section>"""

SCRIPT = """
"use strict";
const KIT = /*kit*/;
const LEAST_SECONDS = 5;  // played of a piece before a picture can be chosen
const place = "imagemusic-listening-" + KIT.kit;
const $ = (id) => document.getElementById(id);
let played = 0, last = 0;  // seconds

function shuffled(items) {
  const list = [...items];
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [list[i], list[j]] = [list[j], list[i]];
  }
  return list;
}

function saved_state() {
  try { return JSON.parse(localStorage.getItem(place)); } catch { return null; }
}

function save_state() {
  try { localStorage.setItem(place, JSON.stringify(state)); } catch { /* private windows: the page must stay open */ }
}

const state = saved_state() || {
  listener: Math.random().toString(36).slice(2, 8), started: null, finished: null,
  order: shuffled(KIT.trials.map((trial) => trial.trial)), answers: [],
};

function show(name) {
  for (const section of document.querySelectorAll("section")) section.classList.toggle("shown", section.id === name);
}

function ask() {
  const number = state.answers.length;
  if (number === state.order.length) return finish();
  const trial = KIT.trials.find((one) => one.trial === state.order[number]);
  played = last = 0;
  $("done").max = state.order.length;
  $("done").value = number;
  $("which").textContent = `Piece ${number + 1} of ${state.order.length}: which picture was it made from?`;
  $("hint").textContent = "Play the piece, then choose a picture.";
  $("sound").src = trial.sound;
  for (const side of ["left", "right"]) {
    $(side).disabled = true;
    $(side).firstElementChild.src = trial[side];
  }
  show("question");
}

function listen() {
  const now = $("sound").currentTime;
  if (now > last && now - last < 1) played += now - last;  // not a jump
  last = now;
  if (played >= Math.min(LEAST_SECONDS, 0.9 * ($("sound").duration || LEAST_SECONDS))) {
    for (const side of ["left", "right"]) $(side).disabled = false;
    $("hint").textContent = "Choose a picture: click it, or press the left or right arrow key.";
  }
}

function choose(side) {
  if (!$("question").classList.contains("shown") || $(side).disabled) return;
  $("sound").pause();
  state.answers.push({
    trial: state.order[state.answers.length], choice: side, heard_seconds: Math.round(played * 10) / 10,
  });
  save_state();
  ask();
}

function finish() {
  if (!state.finished) state.finished = new Date().toISOString();
  save_state();
  $("text").value = as_json();
  show("end");
}

function as_json() {
  const { listener, started, finished, answers } = state;
  return JSON.stringify(
    { format: /*format*/, version: 1, kit: KIT.kit, listener, started, finished, answers }, null, 1);
}

function as_csv() {
  const quoted = (text) => '"' + String(text).replaceAll('"', '""') + '"';
  const rows = state.answers.map((one) => [KIT.kit, state.listener, one.trial, one.choice, one.heard_seconds]);
  return [["kit", "listener", "trial", "choice", "heard_seconds"], ...rows]
    .map((row) => row.map(quoted).join(",") + "\\r\\n").join("");
}

function save(text, kind, suffix) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: kind }));
  link.download = `answers-${state.listener.replace(/[^\\w-]+/g, "_")}.${suffix}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

async function copy() {
  $("text").select();
  try { await navigator.clipboard.writeText($("text").value); } catch { document.execCommand("copy"); }
  $("copied").textContent = "copied";
}

$("count").textContent = KIT.trials.length;
$("listener").value = state.listener;
$("begin").onclick = () => {
  state.listener = $("listener").value.trim() || state.listener;
  state.started = new Date().toISOString();
  save_state();
  ask();
};
$("sound").addEventListener("timeupdate", listen);
$("sound").addEventListener("ended", listen);
$("sound").addEventListener("error", () => { $("hint").textContent = "This piece cannot be played here."; });
for (const side of ["left", "right"]) $(side).onclick = () => choose(side);
document.addEventListener("keydown", (event) => {
  if (event.target.tagName === "AUDIO") return;  // there, arrows wind
  if (event.key === "ArrowLeft") choose("left");
  if (event.key === "ArrowRight") choose("right");
});
$("json").onclick = () => save(as_json(), "application/json", "json");
$("csv").onclick = () => save(as_csv(), "text/csv", "csv");
$("copy").onclick = copy;
$("again").onclick = () => {
  try {
    localStorage.setItem(`${place}-${state.listener}-${state.finished}`, as_json());  // in case it was not saved
    localStorage.removeItem(place);
  } catch { /* nothing is stored */ }
  location.reload();
};
state.started ? ask() : show("welcome");
"""


def page_html(kit: str, trials: Sequence[Mapping[str, str]]) -> str:
    """Return the page of kit `kit`; each trial names its sound and its two pictures, not which is right."""
    table = json.dumps({"kit": kit, "trials": list(trials)}).replace("</", "<\\/")
    script = SCRIPT.replace("/*kit*/", table).replace("/*format*/", json.dumps(ANSWERS_FORMAT))
    return html_page("Which picture?", BODY, style=STYLE, head=HEAD, script=script)


def readme(trials: int, seconds: float) -> str:
    """Return the README of a kit, for the experimenter."""
    return README.format(trials=trials, seconds=seconds)
