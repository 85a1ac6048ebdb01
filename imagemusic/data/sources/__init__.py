"""Where music and covers come from, a module for those that are alike.

Each reader of an open corpus turns (folder of the corpus, key) into pieces; a key is the path of a file in that folder.
spotify, musicbrainz and folder tell of releases and their covers; see releases.Source.
"""
