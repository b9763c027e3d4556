# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Is the default forecast better than a median of the last weeks?
#
# **Data**: `examples/airports`, the departures of 2013 from New York's three airports, as they were known on 1 October
# 2013.
#
# **Way**: look at the series, forecast the past from rolling origins in several ways, score them against seasonal naive,
# compare two of them on the same series, and open one forecast to see what it is made of.
#
# **Found**: both beat seasonal naive clearly on six airlines, the default with the lower loss on most of them; but six
# series of one city are too few to tell the two apart for sure. The last cell says it with the numbers of the run.

# %%
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import HTML, display

import forecasting
from forecasting.forecasts.compare import compare_entries
from forecasting.forecasts.explain import describe
from forecasting.reports import charts
from forecasting.terms.frames import league_coverage_frame, league_frame, league_series_frame

pd.options.display.float_format = "{:.3f}".format
pd.options.display.max_rows = 40

AS_OF, HORIZON = "2013-10-01", 28
AIRLINES = ["ewr-ua", "ewr-b6", "jfk-dl", "jfk-b6", "lga-dl", "lga-us"]
CHALLENGER = "seasonal_median"
root = next(p for p in (Path.cwd(), *Path.cwd().parents) if (p / "examples" / "airports").is_dir())
folder = tempfile.TemporaryDirectory()
begun = time.perf_counter()

# %% [markdown]
# ## 1. Open a workspace
#
# The same as in the first notebook; 300 sample paths are enough for quantiles.

# %%
space = forecasting.Workspace(
    forecasting.create(Path(folder.name) / "airports", source=root / "examples" / "airports"),
    mlflow=False,
    settings=forecasting.Settings(paths=300, jobs=1),
)
space.ingest()
prepared = space.prepare(AS_OF)

# %% [markdown]
# ## 2. What do the series look like?
#
# Departures scheduled per local day. How much a day of the week explains is seen in the last two columns: the spread of
# the days, and of what is left after the weekday's median was taken off.

# %%
daily = {name: prepared.daily[name, "scheduled_departures"] for name in AIRLINES}
rows = []
for name, one in daily.items():
    values = pd.Series(one.values, index=pd.date_range(one.start, periods=len(one), freq="D"))
    left = values - values.groupby(values.index.day_of_week).transform("median")
    rows.append((name, len(one), int(values.isna().sum()), values.median(), values.std(), left.std()))
pd.DataFrame(rows, columns=["series", "days", "missing", "median", "spread", "spread left"]).set_index("series")

# %% [markdown]
# ## 3. The league table
#
# Each entry forecasts every series from three rolling origins with what was known there. `gm_sql` is its quantile loss ÷
# that of seasonal naive, as a geometric mean over series: below 1 is better. `default` is what a plan does; the others
# run alone.

# %%
league = space.backtest(
    AS_OF, services=AIRLINES, models=("default", CHALLENGER, "trend", "holiday_naive"), horizon=HORIZON, timed=True
)
table = league_frame(league).set_index("entry")
table[["gm_sql", "gm_sql_low", "gm_sql_high", "gm_mase", "worse_than_naive", "coverage80", "coverage95", "cpu_ms"]]

# %% [markdown]
# Intervals should hold as often near as far. The share of outcomes inside the 80 % interval, by days ahead:

# %%
coverage = league_coverage_frame(league)
own = coverage[(coverage["level"] == 0.8) & (coverage["stratum"] == "")]
own.pivot_table(index="entry", columns=["first_step", "last_step"], values="share").round(2)

# %% [markdown]
# ## 4. Is the difference more than chance?
#
# The paired bootstrap draws series with replacement and compares the two entries on the same ones: what is claimed holds
# for series like these, not for these only.

# %%
comparison = compare_entries(league, "default", CHALLENGER, seed=1)
print(comparison.verdict)
each = league_series_frame(league).pivot_table(index="service", columns="entry", values="sql")
each.assign(ratio=each["default"] / each[CHALLENGER]).sort_values("ratio")

# %% [markdown]
# ## 5. What is a forecast made of?
#
# One forecast of the default with its explanation: components that add up to the median, slice by slice, the members
# behind it and how well it did out of sample.

# %%
forecast = space.forecast("lga", as_of=AS_OF, horizon=HORIZON)
figure = charts.demand_fan("demand-lga", forecast, prepared.daily["lga", forecast.metric.name])
display(HTML(f'<div style="max-width: 52em">{figure.svg}<p><small>{figure.caption}</small></p></div>'))
explanation = forecast.explanation
print(describe(explanation, forecast.metric.unit))
parts = pd.DataFrame(dict(explanation.components)).assign(median=forecast.quantile(0.5))
assert np.allclose(explanation.total(), parts["median"])
parts.head(7).round(1)

# %% [markdown]
# ## 6. The same on a table of one's own
#
# `forecasting.Forecaster` takes a pandas table and needs no workspace. Naive timestamps need their zone.

# %%
mine = pd.Series(
    daily["lga-dl"].values, index=pd.date_range("2013-01-01", periods=len(daily["lga-dl"])), name="lga-dl"
)
forecaster = forecasting.Forecaster(horizon=7, zone="America/New_York", country="US", kind="count", n_paths=300)
forecaster.fit(mine).forecast()

# %% [markdown]
# ## 7. So, is the default better?

# %%
low, high = 100 * (1 - comparison.high), 100 * (1 - comparison.low)
answer = "yes" if comparison.high < 1 else "no, it is worse" if comparison.low > 1 else "not to be told from these"
row = league.row("default")
print(
    f"Is the default better than {CHALLENGER}? {answer}.\n"
    f"Over {comparison.series} series and {league.origins} origins its quantile loss was {100 * (1 - comparison.ratio):.0f} % "
    f"lower (95 % interval {low:.0f} to {high:.0f} %), on {100 * comparison.wins:.0f} % of the series.\n"
    f"Against seasonal naive it was {100 * row.skill:.0f} % lower; its 80 % interval held {100 * row.coverage_at(0.8):.0f} % of the "
    f"outcomes, at {1000 * row.cpu_seconds:.0f} ms of CPU a forecast."
)
print(f"This notebook took {time.perf_counter() - begun:.0f} s.")

# %% [markdown]
# **Answer.** Printed above. What to do with it: take the default where the interval lies above 0 or includes it, because
# its choice is made again for every series; look at the series on which `ratio` is above 1 before trusting it there. How to
# add a way of forecasting of your own to this table: [docs/add-a-model.md](../docs/add-a-model.md).

# %%
folder.cleanup()
