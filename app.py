from imagemusic.web.serving import launch

if __name__ == "__main__":
    launch()
