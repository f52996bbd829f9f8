"""`python -m bench [NAME...]`: sealed, throughput, tensor, where, verification, tokenizer; all by default. `--quick` does less."""

import argparse

from bench import models, processes, report, sealed, tensor, throughput, tokenizer, verification, where
from bench.cpu import Figure

BENCHES = ("sealed", "throughput", "tensor", "where", "verification", "tokenizer")


def main() -> None:
    """Run, print, publish."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *BENCHES], metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--quick", action="store_true", help="a fifth of the rounds; nothing is published")
    arguments = parser.parse_args()
    names = arguments.names or BENCHES
    figures: dict[str, Figure] = {}
    if "sealed" in names:
        figures |= _sealed(quick=arguments.quick)
    if "throughput" in names:
        figures |= _throughput(quick=arguments.quick)
    if "tensor" in names:
        figures |= tensor.figures(rounds=6 if arguments.quick else 30)
    if "where" in names:
        _where(quick=arguments.quick)
    if "verification" in names:
        with processes.node(models.minilm()) as running:
            figures |= verification.figures(running)
    if "tokenizer" in names:
        figures |= tokenizer.figures()
    print(report.table(figures))
    if not arguments.quick:
        print(f"wrote {report.write_summary(figures)}")


def _sealed(*, quick: bool) -> dict[str, Figure]:
    rounds = 6 if quick else 30
    minilm = sealed.rounds(models.minilm(), sealed.MINILM_TEXT, rounds=rounds, block=60)
    bert = sealed.rounds(models.bert_base(), sealed.BERT_TEXT, rounds=rounds // 2, block=5)
    crowd = sealed.crowd(models.minilm(), sealed.MINILM_TEXT, rounds=rounds // 3, block=10)
    if not quick:
        report.plot_pairs({"minilm": minilm, "bert128": bert})
        for name, measured in (("minilm", minilm), ("bert128", bert)):
            report.write_rounds(name, measured)
    return sealed.figures("minilm", minilm) | sealed.figures("bert128", bert) | sealed.server_tax(minilm, crowd)


def _throughput(*, quick: bool) -> dict[str, Figure]:
    blocks = throughput.measure(models.minilm(), rounds=2 if quick else 8, block=40 if quick else 160)
    if not quick:
        report.write_results("throughput", blocks)
        report.plot_throughput(blocks)
    return throughput.figures(blocks)


def _where(*, quick: bool) -> None:
    shares = where.sample(models.minilm())
    for part, share in shares.items():
        print(f"{share:6.1%}  {part}")
    if not quick:
        where.publish(shares)


if __name__ == "__main__":
    main()
