from imagemusic.web.page import launch

if __name__ == "__main__":
    launch()
