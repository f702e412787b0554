"""The videos: MP4 files of prepared frames, which show what a batch asked for."""
