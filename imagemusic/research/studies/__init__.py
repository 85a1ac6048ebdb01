"""One module a study; `STUDIES` lists them.

A study is a module here with a `STUDY`, an instance of a subclass of research.study.Study, and one line below.
distortions.py, near_misses.py, reordering.py, requested_chords.py, sample_sets.py, structure_table.py and timing.py
are no studies: others use them.
"""

# Name of the module -> the question it answers.  Nothing is imported to list them.
STUDIES: dict[str, str] = {
    "before_after": "How do endings and returning phrases sound with the settings of 0.1, and with the defaults?",
    "bits_per_note": "How well does the decoder predict held-out music, beside a unigram and a Markov baseline?",
    "chords": "How well do the chords that a plan's analysis finds agree with those that POP909 brings?",
    "compose": "How long does one piece take from the start of the process, and how long does a training step take?",
    "controls": "Does the written MIDI keep every exact control of random requests, endings included?",
    "corpora": "What does each corpus hold, and how far can its tempo, meter and grid be trusted?",
    "decoders": "Which decoder, conditioning and training loss predicts held-out music best at equal size?",
    "engines": "What does each inference backend cost in bits per note, and do all compose the same pieces?",
    "feedback": "How well does the music follow a dial at other strengths of feedback?",
    "feelings": "Do the measured valence and arousal agree with people's labels, with note density held fixed?",
    "form_kept": "Can the letters of a form that was asked for be read off the music?",
    "form_statistics": "Which meters, phrases, drum kits and endings does the training music of each ensemble have?",
    "fuzz": "Does any damaged input end in an error that is not ours, or in none at all?",
    "gathering": "How fast are covers looked up, and is anything lost when the process is killed?",
    "graph_loading": "What do exported, checked graphs cost against graphs rebuilt at every load?",
    "matching": "How far can the match of a file name with a release be trusted?",
    "memory": "What does each pointer of the decoder's memory bring, in bits a note?",
    "ours_or_real": "Can a classifier tell composed from held-out music by the measures of structure?",
    "pianoroll": "How does the LSTM do on the four classic piano-roll sets, in nats a frame?",
    "pickups": "How often is a hidden pickup bar found?",
    "preparation": "How long does `imagemusic data build` take as the set grows, and how much memory?",
    "quality": "How near are composed pieces to held-out music in repetition, silence, copying and distributions?",
    "saliency": "Does occlusion find the parts of a picture that matter, beside gradients and Grad-CAM?",
    "sampling": "Which sampling settings bring composed music nearest to held-out music?",
    "speed": "How many notes a second does each backend generate, beside the cost of reading its weights?",
    "steering": "Does the picture steer the music, on our held-out pairs?",
    "structure": "How near are form, endings, openings and playability of composed pieces to real music?",
    "rules_speed": "What do the rules of music cost, in notes a second and in a cold minute?",
    "styles": "Does a classifier that learned styles from real music recognise those that were asked for?",
    "takes_judge": "Which measures of structure tell real music from composed, shuffled and looped music?",
    "transfer": "What does fine-tuning on real pairs of cover and music bring on covers never seen?",
}
