"""Open corpora of symbolic music, a module for those that are alike.

Each reader turns (folder of the corpus, key) into pieces; a key is the path of a file in that folder.
"""
