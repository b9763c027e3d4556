"""From rows to series on a complete grid: calendar, gaps, level shifts and quality."""
