"""Whether a run that is to be compared is ill: who is ranked first may be so all the same."""

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.registry import SYMPTOMS
from unetdyn.analysis.diagnosis.verdict import judge


def why_ill(evidence: Evidence) -> str:
    """The sentence of the diagnosis, where it is ill; empty elsewhere.

    What has caused it is looked for only where the outcome is ill, because of many runs most are well.

    >>> rise, fall = [0.1, 0.5, 0.7, 0.8, 0.8, 0.8], [0.8, 0.0, 0.8, 0.0, 0.8, 0.0]
    >>> why_ill(Evidence.read({"val_jaccard": rise + rise}))
    ''
    >>> "fell below half of what it had reached" in why_ill(Evidence.read({"val_jaccard": rise + fall}))
    True
    """
    if not any(finding.level == "ill" for rule in SYMPTOMS for finding in rule.find(evidence)):
        return ""
    found = judge(evidence)
    return found.sentence if found.level == "ill" else ""
