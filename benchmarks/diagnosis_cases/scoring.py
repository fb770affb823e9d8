"""How good the verdicts are, against what was planted and against how good the nets really are."""

import multiprocessing
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest, ttest_ind

from .cases import Case
from .faults import TUNED, TUNED_NET
from .judging import JUDGES, TROUBLE, WITH_MONITORS, Judged, judge
from .replanted import REPLANTED
from .unseen import UNSEEN

LEVELS = ("unknown", "good", "info", "watch", "ill")
SIGNIFICANT, LARGE, WELL = 0.05, 0.5, 0.75

Group = tuple[str, int, str, str, str]
Table = dict[str, Any]


def score(folder: Path, jobs: int = 1, prefixes: bool = False) -> Table:
    """Everything that the runs in a folder say about the diagnosis.

    A fault counts as harmful with a net, a data set and a severity where what it spoils is worse than in the healthy
    twin over the seeds: by a one-sided t-test of Welch p < 0.05, and by Cohen's d ≥ 0.5; with a single seed it counts
    as neither. A healthy run counts where it came out well: with three quarters of the Jaccard of the plain ones. What
    a fault spoils is the Jaccard index on the clean test tiles; for what is only wrong with the validation set, the
    logged validation Jaccard; for leakage, validation minus test;
    for a wrong metric, how far the logged one is from the truth.

    Args:
        folder: Of the run directories, each with its label.
        jobs: Processes.
        prefixes: Also replay each harmful run epoch by epoch, to see when the right cause is first named.
    """
    runs = judged(folder, jobs, prefixes)
    healthy = well([run for run in runs if run.label["healthy"] and not run.label["mended"]])
    mended = [run for run in runs if run.label["mended"]]
    sick = [run for run in runs if not run.label["healthy"]]
    harm = harms(runs)
    harmful = [run for run in sick if harm.get(_group(run), {}).get("harmful")]
    harmless = [run for run in sick if harm.get(_group(run), {}).get("harmful") is False]
    return {
        "runs": {"healthy": len(healthy), "mended": len(mended), "harmful": len(harmful), "harmless": len(harmless)},
        "judges": {
            name: {
                part: _judge_table(name, *(list(filter(chosen, each)) for each in (healthy, harmful, harmless, runs)))
                for part, chosen in PARTS.items()
            }
            for name in JUDGES
        },
        "rules": _rule_table(WITH_MONITORS, healthy, harmful),
        "families": _family_table(harmful, harm),
        "groups": {"/".join(map(str, group)): values for group, values in harm.items()},
        "advice": _advice_table(runs, harm),
        "epochs_to_right": _epochs_table(harmful) if prefixes else None,
        "alarmed_healthy": {
            run.label["id"]: dict(run.verdicts[WITH_MONITORS].codes)
            for run in healthy
            if run.verdicts[WITH_MONITORS].alarms
        },
    }


def judged(folder: Path, jobs: int = 1, prefixes: bool = False) -> list[Judged]:
    """Each run with what is said of it."""
    folders = sorted(path.parent for path in folder.glob("[!.]*/label.json"))
    work = partial(judge, prefixes=prefixes)
    if jobs == 1:
        return [work(each) for each in folders]
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        return pool.map(work, folders, chunksize=4)


def well(healthy: Sequence[Judged]) -> list[Judged]:
    """Those that came out well: with three quarters of the plain ones' Jaccard, or of their own task's."""
    found: dict[tuple[str, str, bool], list[float]] = defaultdict(list)
    for run in healthy:
        if run.label["family"] in ("plain", "rare_soft_jaccard"):
            found[_place(run)].append(_number(run.label["test_jaccard"]))
    limits = {place: WELL * float(np.mean(values)) for place, values in found.items()}
    return [run for run in healthy if _number(run.label["test_jaccard"]) >= limits.get(_place(run), 0.0)]


def _place(run: Judged) -> tuple[str, str, bool]:
    return run.label["net"], run.label["data"], run.label["family"] == "rare_soft_jaccard"


def _belongs(run: Judged, families: str, tuned_net: bool) -> bool:
    """Healthy runs belong to every part of the families, and to one net."""
    same_family = run.label["healthy"] or families_of(run.label["family"]) == families
    return same_family and (run.label["net"] == TUNED_NET) == tuned_net


def families_of(family: str) -> str:
    """Whether a fault's family is `"tuned"`, `"unseen"`, `"replanted"`, or one of the `"other"`."""
    named = {"tuned": TUNED, "unseen": UNSEEN, "replanted": REPLANTED}
    return next((name for name, families in named.items() if family in families), "other")


PARTS: dict[str, Callable[[Judged], bool]] = {
    "all": lambda _: True,
    "tuned families, tuned net": partial(_belongs, families="tuned", tuned_net=True),
    "other families, tuned net": partial(_belongs, families="other", tuned_net=True),
    "tuned families, other net": partial(_belongs, families="tuned", tuned_net=False),
    "other families, other net": partial(_belongs, families="other", tuned_net=False),
    "unseen families, tuned net": partial(_belongs, families="unseen", tuned_net=True),
    "unseen families, other net": partial(_belongs, families="unseen", tuned_net=False),
    "replanted families, tuned net": partial(_belongs, families="replanted", tuned_net=True),
    "replanted families, other net": partial(_belongs, families="replanted", tuned_net=False),
}


def _group(run: Judged) -> Group:
    label = run.label
    return label["family"], label["severity"], label["net"], label["data"], label["backend"]


def outcome(label: Any, kind: str) -> float:
    """What a fault of this kind spoils, so that more is better; nothing at all counts as 0."""
    test, logged, clean = (_number(label[name]) for name in ("test_jaccard", "final_val_jaccard", "clean_val_jaccard"))
    return {"test": test, "validation": logged, "gap": test - logged, "metric": -abs(logged - clean)}[kind]


def _number(value: float | None) -> float:
    return 0.0 if value is None or not np.isfinite(value) else float(value)


def harms(runs: Sequence[Judged]) -> dict[Group, Table]:
    """For each fault, severity, net, data set and backend, whether it is worse than its twin, and by how much."""
    groups: dict[Group, list[Any]] = defaultdict(list)
    for run in runs:
        if not run.label["mended"]:
            groups[_group(run)].append(run.label)
    found = {}
    for group, labels in groups.items():
        kind = labels[0]["outcome"]
        twins = groups.get((labels[0]["twin"], -1, *group[2:]), [])
        if labels[0]["healthy"] or not twins:
            continue
        bad, good = ([outcome(label, kind) for label in each] for each in (labels, twins))
        p, d = welch(bad, good), effect(bad, good)
        enough = len(bad) > 1 and len(good) > 1
        found[group] = {
            "harmful": bool(p < SIGNIFICANT and d >= LARGE) if enough else None,
            "p": p,
            "d": d,
            "sick": float(np.mean(bad)),
            "healthy": float(np.mean(good)),
            "seeds": len(bad),
        }
    return found


def welch(bad: Sequence[float], good: Sequence[float]) -> float:
    """One-sided p of Welch's t-test that `bad` is lower; seeds are too few for a test by ranks.

    >>> round(welch([0.0, 0.1], [0.6, 0.7, 0.8]), 4)
    0.0028
    """
    if len(bad) < 2 or len(good) < 2:
        return 1.0
    if np.ptp(bad) == np.ptp(good) == 0:
        return 0.0 if bad[0] < good[0] else 1.0
    return float(ttest_ind(bad, good, equal_var=False, alternative="less").pvalue)


def effect(bad: Sequence[float], good: Sequence[float]) -> float:
    """Cohen's d: difference of the means over the pooled standard deviation."""
    difference = float(np.mean(good) - np.mean(bad))
    freedom = len(bad) + len(good) - 2
    pooled = sum(np.var(each, ddof=1) * (len(each) - 1) for each in (bad, good) if len(each) > 1) / max(freedom, 1)
    return difference / float(np.sqrt(pooled)) if pooled > 1e-18 else float(np.sign(difference) * 99)


def share(hits: int, count: int) -> Table:
    """A share with its 95 % Wilson interval."""
    if not count:
        return {"hits": 0, "of": 0, "share": None, "low": None, "high": None}
    interval = binomtest(hits, count).proportion_ci(method="wilson")
    return {"hits": hits, "of": count, "share": hits / count, "low": float(interval.low), "high": float(interval.high)}


def _of(runs: Iterable[Judged], holds: Callable[[Judged], bool]) -> Table:
    answers = [holds(run) for run in runs]
    return share(sum(answers), len(answers))


def _judge_table(name: str, healthy: list[Judged], harmful: list[Judged], harmless: list[Judged], runs: Any) -> Table:
    table = {
        "healthy ill": _of(healthy, lambda run: run.verdicts[name].level == "ill"),
        "healthy watch": _of(healthy, lambda run: run.verdicts[name].level == "watch"),
        "harmless alarmed": _of(harmless, lambda run: run.verdicts[name].alarms),
        "harmful alarmed": _of(harmful, lambda run: run.verdicts[name].alarms),
        "accepted cause first": _of(harmful, lambda run: run.verdicts[name].names(run.label["accepted"])),
        "true cause first": _of(harmful, lambda run: run.verdicts[name].names(run.label["accepted"][:1])),
    }
    alarms = _of(healthy, lambda run: run.verdicts[name].alarms)
    if alarms["of"] and harmful:
        table["balanced accuracy"] = (table["harmful alarmed"]["share"] + 1 - alarms["share"]) / 2
    return table | {"pairs": _pairs(name, harmful, runs)}


def _pairs(name: str, harmful: list[Judged], runs: list[Judged]) -> Table:
    """Is a sick run judged worse than its mended self, or where there is none, than its healthy twin?"""
    by_id = {run.label["id"]: run for run in runs}
    counts = {"worse": 0, "same": 0, "better": 0}
    for run in harmful:
        label = run.label
        twin = "-".join([label["twin"], label["net"], label["data"], str(label["seed"]), label["backend"]])
        other = by_id.get(f"{label['id']}-mended") or by_id.get(twin)
        if other is None:
            continue
        ours, theirs = (LEVELS.index(each.verdicts[name].level) for each in (run, other))
        counts["worse" if ours > theirs else "same" if ours == theirs else "better"] += 1
    return counts


def _rule_table(name: str, healthy: list[Judged], harmful: list[Judged]) -> Table:
    """Each code at watch or ill: how often it is right, and how often it is there where it is the true cause."""
    codes = {code for run in (*healthy, *harmful) for code in run.verdicts[name].codes}
    codes |= {run.label["accepted"][0] for run in harmful}
    table = {}
    for code in sorted(codes):
        said = [run for run in (*healthy, *harmful) if code in run.verdicts[name].codes]
        true = [run for run in harmful if run.label["accepted"][0] == code]
        false = _of(healthy, lambda run, code=code: code in run.verdicts[name].codes)
        table[code] = {
            "precision": _of(said, lambda run, code=code: code in run.label["accepted"]),
            "recall": _of(true, lambda run, code=code: code in run.verdicts[name].codes),
            "false alarms": false,
        }
    return table


def _family_table(harmful: list[Judged], harm: dict[Group, Table]) -> Table:
    table = {}
    for family in sorted({group[0] for group in harm}):
        runs = [run for run in harmful if run.label["family"] == family]
        firsts: dict[str, int] = defaultdict(int)
        for run in runs:
            firsts[" ".join(run.verdicts[WITH_MONITORS].first) or "-"] += 1
        groups = {group: values for group, values in harm.items() if group[0] == family}
        table[family] = {
            "tuned": family in TUNED,
            "harmful groups": sum(values["harmful"] is True for values in groups.values()),
            "groups": len(groups),
            "harmful by severity": [
                f"{sum(v['harmful'] is True for g, v in groups.items() if g[1] == s)}/{sum(g[1] == s for g in groups)}"
                for s in (0, 1, 2)
            ],
            "alarmed": _of(runs, lambda run: run.verdicts[WITH_MONITORS].alarms),
            "accepted first": _of(runs, lambda run: run.verdicts[WITH_MONITORS].names(run.label["accepted"])),
            "said first": dict(sorted(firsts.items(), key=lambda item: -item[1])),
        }
    return table


def _advice_table(runs: list[Judged], harm: dict[Group, Table]) -> Table:
    """Of what a harmful fault lost, the share that the advised change brings back: median over the seeds.

    Where that change makes it the healthy twin's own training, the share is 1 but for other seeds: told apart.
    """
    labels = {run.label["id"]: run.label for run in runs}
    shares: dict[Group, list[float]] = defaultdict(list)
    trained: set[Group] = set()
    for label in labels.values():
        group = (label["family"], label["severity"], label["net"], label["data"], label["backend"])
        if label["mended"] or not harm.get(group, {}).get("harmful"):
            continue
        case = Case(**{name: label[name] for name in ("family", "severity", "seed", "net", "data", "backend")})
        healthy = replace(case, family=label["twin"], severity=-1)
        mended = replace(case, mended=True)
        healed = labels.get(healthy.id if mended.is_twin else mended.id)
        lost = harm[group]["healthy"] - (sick := outcome(label, label["outcome"]))
        if healed is None or lost <= 0:
            continue
        shares[group].append((outcome(healed, label["outcome"]) - sick) / lost)
        if not mended.is_twin:
            trained.add(group)
    medians = {group: float(np.median(values)) for group, values in shares.items()}

    def half_back(of: Iterable[Group]) -> Table:
        of = list(of)
        return share(sum(medians[group] >= 0.5 for group in of), len(of))

    return {
        "half recovered": half_back(medians),
        "where it was trained": half_back(trained),
        "where it is the twin": half_back(set(medians) - trained),
        "groups": {"/".join(map(str, group)): value for group, value in medians.items()},
    }


def _epochs_table(harmful: list[Judged]) -> Table:
    table: dict[str, list[int | None]] = defaultdict(list)
    for run in harmful:
        table[run.label["family"]].append(run.epochs_to_right)
    return {
        family: {
            "named": sum(value is not None for value in values),
            "of": len(values),
            "median": float(np.median([value for value in values if value is not None] or [np.nan])),
        }
        for family, values in table.items()
    }


def text(table: Table) -> str:
    """The table for reading."""
    lines = ["Runs: " + ", ".join(f"{count} {name}" for name, count in table["runs"].items()), ""]
    for name, parts in table["judges"].items():
        lines.append(name)
        for part, values in parts.items():
            pairs = values["pairs"]
            lines.append(
                f"  {part:28}"
                + "; ".join(f"{key} {_shown(values[key])}" for key in list(values)[:6])
                + f"; balanced accuracy {values.get('balanced accuracy', float('nan')):.2f}"
                + f"; pairs worse/same/better {pairs['worse']}/{pairs['same']}/{pairs['better']}"
            )
        lines.append("")
    lines.append("Rules (precision over healthy and harmful; recall where it is the true cause; false alarms)")
    for code, values in table["rules"].items():
        lines.append(f"  {code:28}" + "; ".join(f"{key} {_shown(values[key])}" for key in values))
    lines += ["", "Families (harmful groups by severity; alarmed; accepted cause first; what was said first)"]
    for family, values in table["families"].items():
        said = ", ".join(f"{code} {count}" for code, count in list(values["said first"].items())[:4])
        lines.append(
            f"  {'*' if values['tuned'] else ' '}{family:27}{' '.join(values['harmful by severity'])}; "
            f"{_shown(values['alarmed'])}; {_shown(values['accepted first'])}; {said}"
        )
    lines += ["", f"Advice: at least half recovered in {_shown(table['advice']['half recovered'])}"]
    lines += [f"  {value:5.2f} {group}" for group, value in table["advice"]["groups"].items() if value < 0.5]
    if table["epochs_to_right"]:
        lines += ["", "Epochs to the first right cause (median of those in which it is named)"]
        for family, values in table["epochs_to_right"].items():
            lines.append(f"  {family:28}{values['median']:5.1f}  named in {values['named']} of {values['of']}")
    lines += ["", f"Healthy runs with {' or '.join(TROUBLE)}:"]
    lines += [f"  {name}: {codes}" for name, codes in table["alarmed_healthy"].items()]
    return "\n".join(lines)


def _shown(value: Table) -> str:
    if not value["of"]:
        return "-"
    return f"{value['hits']}/{value['of']} = {value['share']:.2f} [{value['low']:.2f}, {value['high']:.2f}]"
