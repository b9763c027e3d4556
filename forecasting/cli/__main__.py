"""``python -m forecasting.cli``."""

from forecasting.cli import main

if __name__ == "__main__":
    main()
