"""The study: what is run, the one place where data and methods meet, and what a run leaves behind."""
