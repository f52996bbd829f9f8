"""Explanations in words for people. `plain.as_dict` (importable from here too) is the same for machines.

The order is that of a reader in a hurry: is it real hardware, may I send, until when; what failed; whose word it is, and what that
proves; what was switched off; what nobody looked at, and what no evidence of the kind shows; only then every check, and what to do.
Long hex is shortened where a check held and whole where it failed. Left to others: what a kind proves (`meaning`).
"""

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator

from confide.attest.checks import Check
from confide.attest.evidence import Kind
from confide.errors import ConfideError
from confide.formats.fields import format_time
from confide.policy.explanation import Explanation
from confide.policy.meaning import EVERY, MEANINGS
from confide.policy.members import shown
from confide.policy.plain import as_dict
from confide.policy.trust import Proposal
from confide.policy.verdict import HistoricVerdict, Section, Stage, Verdict, VerdictBase

__all__ = ["as_dict", "render", "render_proposal"]

WIDTH = 100
TITLE, WIDEST = 30, 34  # columns; most titles are vendor field names
QUESTIONS = {
    Stage.DOCUMENT: "Document: can it be read?",
    Stage.GENUINE: "Genuine: did the vendor's hardware make it?",
    Stage.BOUND: "Bound: is it about these keys, now, for this caller?",
    Stage.ACCEPTABLE: "Acceptable: is the TEE in a good state and running what is expected?",
    Stage.POLICY: "Policy: does the node fit?",
}
SIMULATED = "SIMULATED: a false vendor signed this evidence. It proves nothing and protects nothing."
ADMITS_SIMULATED = "SIMULATED evidence would pass: the policy says unsafe_accept_simulated. It protects nothing."
_HEX = re.compile(r"\b[0-9a-f]{33,}\b")


def render(subject: Explanation | Verdict | HistoricVerdict, *, every_check: bool | None = None) -> str:
    """The whole of an explanation; of a verdict, without the list of checks that all held, unless `every_check` asks for it."""
    verdict = isinstance(subject, VerdictBase)
    explanation = Explanation.of(subject) if isinstance(subject, VerdictBase) else subject
    return _page(_lines(explanation, every_check=not verdict if every_check is None else every_check))


def render_proposal(proposal: Proposal) -> str:
    """What a person is asked to trust: the evidence explained, then exactly what a yes would accept, then its digest."""
    return _page([*_lines(proposal.explanation, every_check=False), "", *_trusted(proposal)])


def _page(lines: Iterable[str]) -> str:
    """Lines for a terminal, which no text of a stranger's may steer; messages are printable already, and this is the last place."""
    return "".join(shown(line, limit=None) + "\n" for line in lines)


def _lines(explanation: Explanation, *, every_check: bool) -> Iterator[str]:
    if explanation.simulated:
        banner = SIMULATED if _false_vendor(explanation) else ADMITS_SIMULATED
        yield from ("=" * len(banner), banner, "=" * len(banner), "")
    outcome, _, custody = _outcome(explanation).partition("; ")
    whole = f"{outcome}; {custody}" if custody else outcome
    yield from [whole] if len(whole) <= WIDTH else [*_wrapped("", f"{outcome};"), f"  {custody}"]
    yield from _summary(explanation.sections)
    if explanation.failure is not None:
        yield from _failure(explanation.failure, explanation.sections)
    yield from _evidence(explanation)
    yield from _relaxations(explanation)
    yield from _not_checked(explanation)
    yield from _not_proven(explanation)
    if every_check:
        yield from ("", "EVERY CHECK")
        yield from (line for section in explanation.sections for line in _section(section))
    yield from ("", *_wrapped("What to do: ", what_to_do(explanation)))


def _summary(sections: tuple[Section, ...]) -> Iterator[str]:
    for section in sections:
        failed = sum(not check.ok for check in section.checks)
        total = len(section.checks)
        count = f"{failed} of {total} failed" if failed else f"{total} check{'' if total == 1 else 's'}"
        yield f"  {'✗' if failed else '✓'} {QUESTIONS[section.stage]:<72}{count}"


def _section(section: Section) -> Iterator[str]:
    """Checks in their order; where several pieces of evidence were looked at, each behind its name."""
    yield from ("", f"  {QUESTIONS[section.stage]}")
    pieces = {check.piece for check in section.checks if check.piece}
    width = min(max(TITLE, *(len(check.title) for check in section.checks)), WIDEST)
    last = ""
    for check in section.checks:
        if len(pieces) > 1 and check.piece != last:
            last = check.piece
            yield f"  [{last or 'all of it'}]"
        yield from _check(check, width)


def _false_vendor(explanation: Explanation) -> bool:
    return any(claims.simulated for claims in explanation.claims)


def _outcome(explanation: Explanation) -> str:
    at = format_time(explanation.at)
    if explanation.failure is not None:
        return f"REFUSED at {at}" + (f" by policy {explanation.policy}" if explanation.policy else "")
    if explanation.verdict is not None:
        return f"ACCEPTED by policy {explanation.policy}, until {format_time(explanation.verdict.expires)}; {_custody(explanation)}"
    if explanation.past is not None:
        return f"HELD as of {at} by policy {explanation.policy}: opens no channel; {_custody(explanation)}"
    compared = f"and as policy {explanation.policy} wants" if explanation.policy else "but compared with no policy"
    return f"GENUINE at {at}, {compared}" + ("" if explanation.bound else "; bound to no keys")


def _custody(explanation: Explanation) -> str:
    verdict = explanation.verdict or explanation.past
    return f"custody: {verdict.custody.value}" if verdict else ""


def _failure(failure: ConfideError, sections: tuple[Section, ...]) -> Iterator[str]:
    failed = sum(not check.ok for section in sections for check in section.checks)
    total = sum(len(section.checks) for section in sections)
    yield from ("", f"{failure.code.value}: {failure.code.meaning}")
    yield from _wrapped("  about   ", failure.about) if failure.about else ()
    yield from _wrapped("  found   ", failure.found or "-")
    yield from _wrapped("  wanted  ", failure.wanted or "-")
    if failed > 1:
        yield f"  This is the first of {failed} checks that failed, of {total}; it decides."


def _relaxations(explanation: Explanation) -> Iterator[str]:
    if explanation.relaxations:
        yield from ("", "SWITCHED OFF BY THE POLICY")
    for item in explanation.relaxations:
        yield from _wrapped(f"  ! {item.setting.upper()}: ", item.effect)


def _evidence(explanation: Explanation) -> Iterator[str]:
    """What kinds of evidence were found genuine: who vouches, for what. A refusal only names them."""
    counts = Counter(claims.kind for claims in explanation.claims)
    if counts:
        yield from ("", "EVIDENCE")
    for kind, count in counts.items():
        meaning = MEANINGS[kind]
        times = f"{count} of " if count > 1 else ""
        yield from _wrapped("  ", f"{times}{meaning.name} ({kind.value}), on the word of {meaning.vendor}")
        if explanation.failure is None:
            yield from _wrapped("    proves: ", meaning.proves)
        if not explanation.bound:
            carried = [claims.report_data.hex() for claims in explanation.claims if claims.kind is kind]
            yield from (line for each in carried for line in _wrapped("    carries: ", each or "nothing"))


def _not_checked(explanation: Explanation) -> Iterator[str]:
    """One line for each reason, since a policy often leaves many fields out for the same one."""
    if explanation.not_checked:
        yield from ("", "NOT CHECKED")
    pieces: dict[tuple[str, str], list[str]] = {}
    for item in explanation.not_checked:
        pieces.setdefault((item.why, item.what), []).append(item.piece)
    several = len({item.piece for item in explanation.not_checked if item.piece}) > 1
    reasons: dict[tuple[str, str], list[str]] = {}
    for (why, field), of in pieces.items():
        reasons.setdefault((f"[{', '.join(of)}] " if several and any(of) else "", why), []).append(field)
    for (whose, why), what in reasons.items():
        yield from _wrapped("  - ", f"{whose}{', '.join(what)}: {why}")


def _not_proven(explanation: Explanation) -> Iterator[str]:
    """What nothing above shows, however many checks held; a refusal needs no such list."""
    if explanation.failure is not None or not explanation.claims:
        return
    yield from ("", "NOT PROVEN, HOWEVER MANY CHECKS HELD")
    kinds = list(dict.fromkeys(claims.kind for claims in explanation.claims))
    for kind in kinds:
        for item in MEANINGS[kind].not_proven:
            yield from _wrapped("  - ", f"[{kind.value}] {item}" if len(kinds) > 1 else item)
    yield from _wrapped("  - ", EVERY)


def _check(check: Check, width: int) -> Iterator[str]:
    """What does not fit behind its title goes on below, in the same column."""
    lead = f"  {'✓' if check.ok else '✗'} {check.title:<{width}}  "
    if len(check.title) > width:
        yield lead.rstrip()
        lead = " " * (width + 6)
    if check.ok:
        wanted = "" if check.wanted in {check.found, ""} else f"  (wanted {_short(check.wanted)})"
        found = list(_wrapped(lead, _short(check.found)))
        if len(found[-1]) + len(wanted) <= WIDTH:
            yield from [*found[:-1], found[-1] + wanted]
        else:
            yield from [*found, *_wrapped(" " * len(lead), wanted.strip())]
        return
    yield f"{lead}{check.code.value}"
    yield from _wrapped("      found   ", check.found or "-")
    yield from _wrapped("      wanted  ", check.wanted or "-")


def _trusted(proposal: Proposal) -> Iterator[str]:
    yield "A YES WOULD TRUST, from now on:"
    for accept in proposal.trusted["accept"]:
        kind = Kind(accept["tee"])
        yield from ("", f"  {MEANINGS[kind].name} ({kind.value})")
        yield from (line for name, value in accept.items() if name != "tee" for line in _member(name, value))
    yield from ("", "  the node and its models")
    for name, value in proposal.trusted["node"].items():
        yield from _member(name, value)
    for alias, digests in proposal.trusted["models"].items():
        yield from _wrapped(f"  {'model ' + alias:<{TITLE}}  ", _value(digests))
    yield from ("", f"  digest of all this: {proposal.digest}")
    yield from _wrapped("  ", "Compare it with one from the node's owner, got another way. Whoever answers at this address now "
                              "decides what you trust, if you do not.")  # fmt: skip


def _member(name: str, value: object) -> Iterator[str]:
    """A member of an entry; of a table (PCRs, minimum firmware, a paravisor's hardware) a line for each of its own."""
    if isinstance(value, dict) and any(isinstance(each, dict | list) for each in value.values()):
        yield from (line for key, each in value.items() for line in _member(f"{name} {key}", each))
        return
    yield from _wrapped(f"  {name:<{TITLE}}  ", _value(value))


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_value(item)}" for name, item in value.items())
    return str(value)


def what_to_do(explanation: Explanation) -> str:
    """One sentence or two."""
    if explanation.failure is not None:
        return explanation.failure.hint
    if not explanation.bound:
        return "trust no node by this: it is about nobody's keys. A node's own bundle is: `confide bundle save` writes one."
    if explanation.policy is None:
        return "trust nothing yet: compare it with a policy, or look at what `confide trust` would write."
    if explanation.simulated:
        return "use it to try things out. Send nothing that matters to anyone."
    if explanation.historic:
        return "nothing. This says what was true then; ask the node for fresh evidence before sending anything."
    return "read what was not checked; if you can live with that, send until the verdict expires."


def _short(text: str) -> str:
    """Long hex by its beginning and end."""
    return _HEX.sub(lambda match: f"{match[0][:16]}…{match[0][-8:]}", text)


def _wrapped(lead: str, text: str) -> Iterator[str]:
    """Wrapped at spaces under the lead; long hex keeps whole, so that it can be copied."""
    indent = " " * (4 if lead.startswith(("  ! ", "  - ")) else len(lead))
    yield from textwrap.wrap(
        text, WIDTH, initial_indent=lead, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ) or [lead.rstrip()]
