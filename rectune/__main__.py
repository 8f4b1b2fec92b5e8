"""`python -m rectune` is the console command `rectune`."""

from rectune.cli.main import main

if __name__ == "__main__":
    main()
