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
# # Was it right to expect LaGuardia to miss its December target?
#
# **Data**: `examples/airports`, the departures of 2013 from New York's three airports. The agreements are fictional.
#
# **Way**: stand on 1 October 2013, know nothing of what follows, and ask for the whole chain: data quality, attainment,
# demand, P(miss), options. Then open the envelope and look at what happened.
#
# **Found**: at 1 October a miss in December was about as likely as not, at LaGuardia as elsewhere, and it happened nearly
# everywhere. The statement was honest and not sharp: the same was said of November, which went well. See the last cells.

# %%
import tempfile
from pathlib import Path

import pandas as pd
from IPython.display import HTML, display

import forecasting
from forecasting.reports import charts

pd.options.display.float_format = "{:.3f}".format
pd.options.display.max_rows = 40

AS_OF, SERVICE = "2013-10-01", "lga"
root = next(p for p in (Path.cwd(), *Path.cwd().parents) if (p / "examples" / "airports").is_dir())
folder = tempfile.TemporaryDirectory()


def draw(figure):
    """Show a chart of the plan in the notebook."""
    display(HTML(f'<div style="max-width: 52em">{figure.svg}<p><small>{figure.caption}</small></p></div>'))


# %% [markdown]
# ## 1. Open a workspace
#
# A workspace is a folder with the project file, the catalogue and what was computed. `create` copies the example,
# `ingest` reads its files. MLflow stays off; nothing is written outside the temporary folder. `Settings` holds every knob:
# only the quick demand models are tried here, so that the notebook takes well under a minute; the plan tries all.

# %%
quick = ("seasonal_naive", "holiday_naive", "seasonal_median", "trend", "ets")
space = forecasting.Workspace(
    forecasting.create(Path(folder.name) / "airports", source=root / "examples" / "airports"),
    mlflow=False,
    settings=forecasting.Settings(models=quick, jobs=1),
)
pd.DataFrame([(r.source, r.rows_read, r.rows_new) for r in space.ingest()], columns=["source", "rows read", "rows new"])

# %% [markdown]
# One call computes the chain up to the options, with what lies before the cut-off. Every table below is a frame of it.

# %%
plan = space.compute(AS_OF, depth="proposals")
frames = plan.frames()
{name: len(frame) for name, frame in frames.items()}

# %% [markdown]
# ## 2. Can the data be trusted?
#
# Coverage is the share of slices with a value. The flights are complete (a zero is a fact); the weather has holes, and
# they stay holes.

# %%
quality = frames["quality"]
quality.groupby("metric")[["rows", "missing", "coverage", "longest_gap", "stale_slices"]].agg(
    {"rows": "sum", "missing": "sum", "coverage": "min", "longest_gap": "max", "stale_slices": "max"}
)

# %% [markdown]
# ## 3. What was delivered until September?
#
# Attainment in percent per month. Negative margins are missed targets: about half of the months until August, none of
# the on-time targets in September.

# %%
attainment = frames["attainment"]
agreed = attainment[attainment["agreement"].notna() & attainment["final"]]
margin = 100 * agreed.pivot_table(index="objective", columns="period", values="margin", sort=False)
display(margin.round(1))
agreed.groupby("period")["status"].value_counts().unstack(fill_value=0)

# %% [markdown]
# ## 4. How many departures are coming?
#
# The fan is made of sample paths of the chosen model. The table is its back-test: every model that ran, over rolling
# origins, best first. `sql_vs_naive` below 1 beats seasonal naive.

# %%
lga = next(s for s in plan.services if s.service.name == SERVICE)
draw(charts.demand_fan("demand-lga", lga.forecast, lga.demand))
choices = frames["choices"]
columns = ["model", "chosen", "origins", "mase", "sql", "sql_vs_naive", "coverage80", "coverage95", "bias"]
display(choices.loc[choices["service"] == SERVICE, columns])
lga.choice.reason

# %% [markdown]
# ## 5. P(miss) of the coming months, and what happened
#
# The second run is the envelope: the same workspace with everything known until the end of the year. Only its
# attainment is used, to compare.

# %%
outlook = next(o for o in lga.objectives if o.agreement is not None and "on-time" in o.objective.name)
draw(charts.attainment_chart("attainment-lga", outlook, plan.as_of))

later = space.compute(depth="attainment").frames()["attainment"]
key = ["service", "agreement", "objective", "period"]
risks = frames["risks"].dropna(subset=["agreement"])
said = risks.merge(later.loc[later["final"], [*key, "value", "status"]], on=key).rename(columns={"value": "happened"})
shown = ["period", "target", "probability", "probability_low", "probability_high", "attainment_p10", "attainment_p50"]
shown += ["attainment_p90", "happened", "status"]
said.loc[said["objective"] == outlook.objective.name, shown]

# %% [markdown]
# One objective proves nothing. Over all 33 agreed objectives: what was stated, what happened, and the Brier score
# beside that of climatology (here each objective's share of missed months in the table above).

# %%
said["missed"] = said["status"].eq("breached").astype(float)
past = agreed.assign(missed=agreed["status"].eq("breached")).groupby("objective")["missed"].mean()
said["climatology"] = said["objective"].map(past)
said["brier"] = (said["probability"] - said["missed"]) ** 2
said["brier_climatology"] = (said["climatology"] - said["missed"]) ** 2
said.groupby("period")[["probability", "climatology", "missed", "brier", "brier_climatology"]].mean()

# %% [markdown]
# The objectives share weather and air traffic control, so they are not 33 independent trials. The sample paths share
# their worlds for that reason: P(all met) comes from the joint paths, not from a product of probabilities.

# %%
pd.DataFrame(
    [
        (
            p.period.label,
            p.agreements,
            p.probability_all_met,
            p.expected_misses,
            p.misses_p90,
            said.loc[said["period"] == p.period.label, "missed"].sum(),
        )
        for p in plan.portfolio
        if p.period.label in set(said["period"])
    ],
    columns=["period", "agreements", "P(all met)", "expected misses", "misses, 90 %", "missed"],
)

# %% [markdown]
# ## 6. Which option would pay?
#
# Benefit is the credits and losses avoided on the same paths, net benefit is that less the cost over the horizon. An
# option that was looked at and not recommended says why.

# %%
options = frames["options"]
own = options[options["service"].eq(SERVICE) & options["objective"].eq(outlook.objective.name)]
own[
    ["kind", "label", "recommended", "probability_before", "probability_after", "cost_over_horizon", "benefit_mean"]
    + ["net_benefit", "order_by", "rejected_because"]
].sort_values("net_benefit", ascending=False)

# %% [markdown]
# ## 7. So, was it right?

# %%
december = said[(said["objective"] == outlook.objective.name) & (said["period"] == "2013-12")].iloc[0]
november = said[(said["objective"] == outlook.objective.name) & (said["period"] == "2013-11")].iloc[0]
low, high = december["attainment_p10"], december["attainment_p90"]
inside = low <= december["happened"] <= high
everywhere = said[said["period"] == "2013-12"]
better = everywhere["brier"].mean() < everywhere["brier_climatology"].mean()
expected = december["probability"] > 0.5
came = december["status"] == "breached"
print(
    f"On {AS_OF} the plan gave LaGuardia a {december['probability']:.0%} chance of missing its December target of "
    f"{december['target']:.1%}. It attained {december['happened']:.1%}: {december['status']}. "
    f"The expectation was {'right' if expected == came else 'wrong'}.\n"
    f"The 80 % range was {low:.1%} to {high:.1%}; the outcome is {'inside' if inside else 'outside'}.\n"
    f"Over all {len(everywhere)} objectives {everywhere['probability'].sum():.1f} misses were expected in December and "
    f"{everywhere['missed'].sum():.0f} came; there the statements were {'better' if better else 'no better'} than "
    f"climatology.\n"
    f"The same plan gave November {november['probability']:.0%}, and November was {november['status']}."
)

# %% [markdown]
# **Answer.** Right to prepare, wrong to be sure. Two months ahead the plan knows a level of badness and how far such
# levels have moved before; it cannot know which month the storms choose. One outcome does not prove or refute a
# probability: [docs/results-airports.md](../docs/results-airports.md) scores all statements of September to December.

# %%
folder.cleanup()
